"""Events of benchmarks: suites run on versions of an agent, and validations of one version."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Identifier, Name, ValueObject
from archon_contracts.topics import Topic
from archon_contracts.values import ArtifactRef, Estimate, MetricResult


class BenchmarkMode(StrEnum):
    """What a benchmark is run for."""

    BENCHMARK = "benchmark"  # figures of versions side by side
    VALIDATION = "validation"  # whether one version may be used


class BenchmarkedSuite(ValueObject):
    """One version's result on one suite; everything is in the report."""

    version: Identifier
    suite: str
    passed: bool = Field(description="Thresholds and assertions of the suite hold.")
    reasons: tuple[str, ...] = Field(description="Why it did not pass, the first ones.")
    answers: int = Field(ge=0)
    errors: int = Field(default=0, ge=0, description="Answers that were not given.")
    metrics: tuple[MetricResult, ...] = Field(description="Over all items; groups: the report.")
    unmeasured: int = Field(default=0, ge=0, description="Metrics without a figure.")
    cost: float | None = Field(default=None, ge=0, description="Absent: not known.")
    seconds: float = Field(ge=0)
    report_file: str = Field(description="Its SuiteReport in the artifact; .html beside .json.")


class BenchmarkDifference(ValueObject):
    """One metric of two versions on the same answers of a suite."""

    suite: str
    metric: str
    group: str
    version: Identifier
    control: Identifier = Field(description="The version that it is compared with.")
    difference: Estimate = Field(description="Version minus control, 95 % interval of pairs.")
    p_value: float = Field(ge=0, le=1, description="Two-sided, not adjusted.")
    adjusted_p_value: float = Field(
        ge=0, le=1, description="Holm, over all metrics and groups of the suite."
    )
    higher_is_better: bool = True


class ModelCheck(ValueObject):
    """One check of a version."""

    name: str
    passed: bool | None = Field(
        default=None, description="Absent: it could not be made, `detail` says why."
    )
    detail: str


class BenchmarkProgressed(Contract):
    """A benchmark has answered more of its requests."""

    topic: ClassVar[Topic] = topics.EVALUATIONS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    benchmark_id: UUID
    answered: int = Field(ge=0)
    total: int = Field(ge=0, description="Requests of all versions and suites.")
    model_version: Identifier = Field(description="The version that is asked now.")
    suite: str


class BenchmarkCompleted(Contract):
    """All suites were run on all versions."""

    topic: ClassVar[Topic] = topics.EVALUATIONS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    benchmark_id: UUID
    mode: BenchmarkMode
    passed: bool = Field(description="All suites passed; of a validation: no check failed.")
    reasons: tuple[str, ...]
    results: tuple[BenchmarkedSuite, ...] = ()
    differences: tuple[BenchmarkDifference, ...] = Field(
        default=(), description="Each version beside the first one, those that differ most."
    )
    checks: tuple[ModelCheck, ...] = Field(default=(), description="Of a validation.")
    reports: ArtifactRef | None = Field(
        default=None, description="Folder with a SuiteReport and a page for each result."
    )
    cost: float | None = Field(default=None, ge=0)
    duration_seconds: float = Field(ge=0)


CANCELLED: Final = "Cancelled"
"""The `error_type` of a benchmark that somebody stopped."""


class BenchmarkFailed(Contract):
    """A benchmark could not be run, or was cancelled."""

    topic: ClassVar[Topic] = topics.EVALUATIONS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    benchmark_id: UUID
    error_type: str
    reason: str
    retryable: bool
