"""The command that runs suites on versions of an agent."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.events.benchmarks import BenchmarkMode
from archon_contracts.events.feedback_counts import FeedbackCounts
from archon_contracts.topics import Topic
from archon_contracts.values import ALL_ITEMS, AgentKind, ArtifactRef, ModelRef


class MetricThreshold(ValueObject):
    """What a metric must reach."""

    metric: str = Field(min_length=1, max_length=500)
    group: str = Field(default=ALL_ITEMS, min_length=1, max_length=500)
    at_least: float | None = None
    at_most: float | None = None
    of: Literal["estimate", "interval"] = Field(
        default="estimate",
        description="interval: the end of the 95 % interval that is nearer to the limit counts.",
    )


class VersionToBenchmark(ValueObject):
    """A version, with what production says of it."""

    model: ModelRef
    feedback: FeedbackCounts | None = Field(
        default=None, description="Of all hours together; absent: there was none."
    )


class SuiteToBenchmark(ValueObject):
    """A suite: a folder with suite.yaml, items.jsonl or test.jsonl."""

    name: Name
    items: ArtifactRef


class RunBenchmark(Contract):
    """Run suites on versions of an agent."""

    topic: ClassVar[Topic] = topics.EVALUATOR_COMMANDS
    key_field: ClassVar[str] = "benchmark_id"

    benchmark_id: UUID
    agent_id: Name
    mode: BenchmarkMode = BenchmarkMode.BENCHMARK
    kind: AgentKind
    versions: tuple[VersionToBenchmark, ...] = Field(min_length=1, max_length=20)
    suites: tuple[SuiteToBenchmark, ...] = Field(default=(), max_length=5)
    repeats: int = Field(default=1, ge=1, le=20, description="How often each item is asked.")
    thresholds: tuple[MetricThreshold, ...] = Field(default=(), max_length=100)
    golden: ArtifactRef | None = Field(
        default=None, description="Items of which a validated version must answer each one right."
    )
    golden_ids: tuple[str, ...] = Field(
        default=(), description="Ids of items of the suites that must be right, too."
    )
    latency_limit_seconds: float | None = Field(
        default=None, gt=0, description="Largest 95th percentile of an answer's time."
    )
    requested_by: str = Field(default="", description="Name of the API key.")


class CancelBenchmark(Contract):
    """Stop a benchmark or validation, queued or running."""

    topic: ClassVar[Topic] = topics.EVALUATOR_COMMANDS
    # That of the command that started it: the two never overtake each other.
    key_field: ClassVar[str] = "benchmark_id"

    benchmark_id: UUID
    agent_id: Name
    reason: str = "asked for"
    requested_by: str = Field(default="", description="Who wants it; empty: not said.")
