"""Answers about functions.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer
from archon_contracts.client.sdk.answers.policies import ArtifactRefInfo


class StartedJobInfo(ApiAnswer):
    """A job was started."""

    job_id: UUID = Field(alias="jobId")
    agent_id: str = Field(alias="agentId")
    status: str
    trace_id: str = Field(alias="traceId")
    accepted_feedback: int | None = Field(default=None, alias="acceptedFeedback")


class GenerateInfo(ApiAnswer):
    """A request for synthetic data was taken; `result` is where its outcome will be."""

    request_id: UUID = Field(alias="requestId")
    status: str
    result: str


class SyntheticInfo(ApiAnswer):
    """A request for synthetic data, and its result when it is there."""

    request_id: UUID
    agent_id: str
    state: str = Field(description="requested, running, ready or cancelled")
    request: dict[str, Any]
    requested_at: datetime
    progress: dict[str, Any] | None = Field(
        default=None, description="SyntheticDataProgressed; absent: not begun."
    )
    artifact: ArtifactRefInfo | None = None
    dataset: str | None = Field(
        default=None, description="Name of the result among the datasets; a training may name it."
    )
    items: int | None = None
    requested: int | None = Field(default=None, description="Items asked for.")
    shortfall: str | None = Field(
        default=None, description="Why there are fewer items than asked for; empty: there are not."
    )
    rejected: dict[str, int] | None = None
    quality: dict[str, Any] | None = Field(
        default=None, description="Diversity, privacy and difficulty, measured (SyntheticQuality)."
    )
    reason: str | None = Field(default=None, description="Why it was cancelled.")
    finished_at: datetime | None = None


class ValidationCheckInfo(ApiAnswer):
    """One thing that was checked."""

    name: str
    passed: bool
    detail: str


class ValidateInfo(ApiAnswer):
    """Whether a version passed every check."""

    agent_id: str = Field(alias="agentId")
    version: str
    valid: bool
    checks: list[ValidationCheckInfo]
    metrics: dict[str, Any]
    benchmark_id: UUID | None = Field(
        default=None, alias="benchmarkId", description="Absent: nothing is run."
    )
    result: str | None = Field(
        default=None, description="Where the outcome of the checks that are run will be."
    )


class VersionBenchmarkInfo(ApiAnswer):
    """One version's stored evaluation."""

    version: str
    status: str
    passed: bool
    reasons: list[str]
    accuracy: dict[str, Any] = Field(description="Group -> proportion with its 95 % interval.")
    accuracy_at5: dict[str, Any] = Field(alias="accuracyAt5")
    compared_with: dict[str, Any] = Field(
        alias="comparedWith",
        description="deployed or baseline -> group -> proportion, on the same items.",
    )
    comparison: dict[str, Any]
    latency_seconds: float | None = Field(default=None, alias="latencySeconds")


class StoredBenchmarksInfo(ApiAnswer):
    """Versions side by side, newest first."""

    agent_id: str = Field(alias="agentId")
    versions: list[VersionBenchmarkInfo]
    benchmark_id: UUID | None = Field(
        default=None, alias="benchmarkId", description="Absent: nothing is run."
    )
    result: str | None = Field(default=None, description="Where the figures will be.")


class BenchmarkInfo(ApiAnswer):
    """A benchmark or validation: its progress, and its outcome when it is there."""

    benchmark_id: UUID
    agent_id: str
    mode: str
    state: str
    request: dict[str, Any]
    requested_at: datetime
    progress: dict[str, Any] | None = None
    result: dict[str, Any] | None = Field(default=None, description="BenchmarkCompleted.")
    failure: dict[str, Any] | None = Field(default=None, description="BenchmarkFailed.")
    finished_at: datetime | None = None


class AnalyseInfo(ApiAnswer):
    """Statistics over an agent's logs; a proportion without anything behind it is null."""

    agent_id: str = Field(alias="agentId")
    source: str = Field(description="logs (of the request) or feedback (as stored)")
    interactions: int
    feedback: int
    corrected: int
    corrected_proportion: float | None = Field(default=None, alias="correctedProportion")
    rated: int
    mean_rating: float | None = Field(default=None, alias="meanRating")
    rewarded: int
    mean_reward: float | None = Field(default=None, alias="meanReward")
    retracted: int
    annotations: int
    errors: int
    error_proportion: float | None = Field(default=None, alias="errorProportion")
    latency_seconds: dict[str, float] = Field(alias="latencySeconds")
    per_hour: list[dict[str, Any]] = Field(alias="perHour")
    analysis_id: UUID | None = Field(
        default=None, alias="analysisId", description="Absent: nothing is run."
    )
    result: str | None = Field(default=None, description="Where what was found will be.")


class LogAnalysisInfo(ApiAnswer):
    """An analysis of an agent's logs: its progress, and what it found."""

    analysis_id: UUID
    agent_id: str
    state: str
    request: dict[str, Any] = Field(description="AnalyzeLogs or AnalyzeInteractions.")
    requested_at: datetime
    progress: dict[str, Any] | None = None
    result: dict[str, Any] | None = Field(default=None, description="LogsAnalyzed.")
    failure: dict[str, Any] | None = Field(default=None, description="LogAnalysisFailed.")
    finished_at: datetime | None = None
