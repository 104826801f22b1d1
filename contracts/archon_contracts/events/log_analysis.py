"""Events of log analyses: failure clusters, drift, cost, slow and looping interactions."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field, JsonValue

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.rules.moments import UtcTime
from archon_contracts.topics import Topic


class LogEvidence(ValueObject):
    """An interaction that shows what is said."""

    interaction_id: str
    at: UtcTime
    text: str = Field(description="What was asked; a long text is cut.")
    answer: str = ""
    expected: str = ""
    error: str = ""
    figure: float | None = Field(default=None, description="Seconds, tokens or times.")


class ProposedCase(ValueObject):
    """A test case made of a failure; it can stand in a suite as it is."""

    id: str
    request: str
    target: str = Field(default="", description="The correction; empty: nobody gave one.")
    wrong: str = Field(default="", description="The answer that must not be given again.")


class FailureTrend(ValueObject):
    """Whether a cluster's part of the interactions grows within the period."""

    bins: tuple[int, ...] = Field(description="Failures in equal parts of the period, in order.")
    direction: Literal["growing", "steady", "shrinking"]
    p_value: float = Field(ge=0, le=1, description="Two-sided binomial test of the halves.")


class FailureCluster(ValueObject):
    """Failures with similar requests."""

    name: str = Field(description="Its most characteristic words, by class-based TF-IDF.")
    terms: tuple[str, ...]
    size: int = Field(ge=1)
    proportion: float = Field(ge=0, le=1, description="Of all failures.")
    corrected: int = Field(ge=0, description="Failures with a right answer from feedback.")
    kinds: dict[str, int] = Field(description="Kind of failure -> failures; one may have several.")
    trend: FailureTrend
    interaction_ids: tuple[str, ...] = Field(description="The first of its members.")
    evidence: tuple[LogEvidence, ...]
    proposed_cases: tuple[ProposedCase, ...]


class DriftTest(ValueObject):
    """One two-sample test of the requests against the training data."""

    statistic: float
    p_value: float = Field(ge=0, le=1)
    detail: str


class DriftReport(ValueObject):
    """Whether users ask for something else than the deployed version was trained on."""

    trained_version: str
    reference_items: int = Field(ge=0)
    items: int = Field(ge=0)
    drifted: bool = Field(description="The smaller p, adjusted by Holm, is at most 0.01.")
    mmd: DriftTest = Field(description="Maximum mean discrepancy, permutation test.")
    classifier: DriftTest = Field(description="Held-out accuracy of a classifier.")
    auroc: float = Field(ge=0, le=1, description="Of the same classifier: the size of the drift.")
    farthest: tuple[LogEvidence, ...] = Field(
        default=(), description="Requests that are least like the training data."
    )


class LogCost(ValueObject):
    """Tokens and cost of the interactions that say them."""

    interactions: int = Field(ge=0, description="Those with tokens.")
    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    cost: float | None = Field(default=None, ge=0, description="Absent: no prices were named.")
    most_expensive: tuple[LogEvidence, ...] = Field(default=(), description="`figure`: tokens.")


class LogSuggestion(ValueObject):
    """Something that can be started with one call: POST `body` to `path`."""

    kind: Literal["retrain", "add_test_cases", "validate_latency", "review"]
    title: str
    reason: str
    path: str
    body: dict[str, JsonValue]


class LogFigures(ValueObject):
    """How many of what there are."""

    interactions: int = Field(ge=0)
    with_feedback: int = Field(ge=0)
    failures: int = Field(ge=0)
    kinds: dict[str, int] = Field(description="Kind of failure -> failures.")
    unclustered: int = Field(ge=0, description="Failures that are like no others.")
    latency_p50: float | None = Field(default=None, ge=0)
    latency_p95: float | None = Field(default=None, ge=0)
    is_cut: bool = Field(default=False, description="Older records of the period are left out.")


class LogAnalysisProgressed(Contract):
    """An analysis has come further."""

    topic: ClassVar[Topic] = topics.EVALUATIONS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    analysis_id: UUID
    stage: str = Field(description="gathered, embedding, drift or clusters.")
    done: int = Field(ge=0, description="Stages that are over.")
    total: int = Field(ge=1)


class LogsAnalyzed(Contract):
    """What an agent's logs show."""

    topic: ClassVar[Topic] = topics.EVALUATIONS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    analysis_id: UUID
    figures: LogFigures
    clusters: tuple[FailureCluster, ...] = ()
    drift: DriftReport | None = Field(
        default=None, description="Absent: `drift_untested` says why."
    )
    drift_untested: str = ""
    cost: LogCost | None = Field(default=None, description="Absent: no interaction says tokens.")
    slow: tuple[LogEvidence, ...] = Field(default=(), description="`figure`: seconds.")
    slow_limit_seconds: float | None = None
    slow_interactions: int = Field(default=0, ge=0)
    loops: tuple[LogEvidence, ...] = Field(
        default=(), description="Requests that one user sent again and again; `figure`: times."
    )
    suggestions: tuple[LogSuggestion, ...] = ()
    duration_seconds: float = Field(ge=0)


class LogAnalysisFailed(Contract):
    """An agent's logs could not be analysed."""

    topic: ClassVar[Topic] = topics.EVALUATIONS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    analysis_id: UUID
    error_type: str
    reason: str
    retryable: bool
