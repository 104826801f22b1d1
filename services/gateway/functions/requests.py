"""Bodies and answers of the specification's functions, in its camelCase."""

from __future__ import annotations

from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.alias_generators import to_camel

from archon_contracts.base import Identifier, Name
from archon_contracts.commands import MAXIMUM_LOG_RECORDS, EdgeCaseFamily, SynthesisMethod
from archon_contracts.rules.numbers import Integer, Number, Proportion
from archon_contracts.values import ALL_ITEMS, TrainingMethod
from services.gateway.feedback.hourly_stats import LogLine
from services.gateway.requests import Label, StrictTrainingConfig


class FunctionRequest(BaseModel):
    """A function's body; unknown fields are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        alias_generator=to_camel,
    )


class FunctionResponse(BaseModel):
    """A function's answer."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class ValidationOptions(FunctionRequest):
    """How a training validates itself. `frequency` is per epoch in every recipe."""

    split: float | None = Field(default=None, strict=True, ge=0, le=1)
    frequency: Literal["epoch"] = "epoch"


class SearchOptions(FunctionRequest):
    """A search of the hyper-parameters that are not named: so many trainings, or so much time."""

    trials: Integer | None = Field(default=None, ge=1, le=200)
    seconds: Number | None = Field(default=None, gt=0, le=3600)

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.trials is None and self.seconds is None:
            raise ValueError("give at least one of trials and seconds")
        return self


class TrainConfigRequest(StrictTrainingConfig):
    """A training's method, data and hyper-parameters."""

    model_config = ConfigDict(alias_generator=to_camel)

    method: TrainingMethod
    dataset: Name | None = None
    source_agent: Name | None = Field(
        default=None, description="Of method transfer: the agent whose version is the start."
    )
    source_version: Identifier | None = Field(
        default=None, description="Its version; absent: the deployed one."
    )
    validation: ValidationOptions = ValidationOptions()
    search: SearchOptions | None = None

    def training_config(self) -> StrictTrainingConfig:
        """The hyper-parameters; the spellings `validation.split` and `search` win."""
        provided = self.model_dump(
            include=set(StrictTrainingConfig.model_fields), exclude_unset=True
        )
        if self.validation.split is not None:
            provided["validation_split"] = self.validation.split
        if self.search is not None:
            limits = self.search.model_dump(exclude_none=True)
            provided |= {f"search_{name}": value for name, value in limits.items()}
        return StrictTrainingConfig(**provided)


class TrainAgentRequest(FunctionRequest):
    """trainAgent."""

    agent_id: Name
    config: TrainConfigRequest


class AdaptRequest(FunctionRequest):
    """adaptAgentBehavior. Items are checked as feedback events are."""

    agent_id: Name
    feedback: list[dict[str, JsonValue]] = Field(fail_fast=True, min_length=1, max_length=10_000)
    method: TrainingMethod


class JobResponse(FunctionResponse):
    """A job was started."""

    job_id: UUID
    agent_id: str
    status: str
    trace_id: str
    accepted_feedback: int | None = None


class GenerateRequest(FunctionRequest):
    """generateSyntheticTrainingData. Without an agent the items belong to `unassigned`."""

    agent_id: Name = "unassigned"
    scenario_type: Label
    count: Integer = Field(ge=1, le=100_000)
    difficulty: Literal["easy", "medium", "hard"] = "medium"
    edge_cases: bool = False
    diversity: Proportion = 0.5
    examples: Name | None = None
    seed: Integer = Field(default=0, ge=0, le=2**31 - 1)
    methods: tuple[SynthesisMethod, ...] = Field(
        default=(),
        max_length=4,
        description="In equal parts; empty: mutation of the examples, or else the domain's "
        "templates. `llm` needs an endpoint in the service's settings.",
    )
    edge_case_families: tuple[EdgeCaseFamily, ...] = Field(
        default=(), max_length=8, description="Empty: with `edgeCases` all of them."
    )
    privacy_distance: Proportion = Field(
        default=0.0,
        description="Least cosine distance of an item to each example, which are then taken for "
        "private records; 0: the distance is reported only.",
    )


class GenerateResponse(FunctionResponse):
    """A request for synthetic data was taken; `result` is where its outcome will be."""

    request_id: UUID
    status: str
    result: str


class ThresholdRequest(FunctionRequest):
    """What a metric must reach, by its estimate or by all of its 95 % interval."""

    metric: Label
    group: Label = ALL_ITEMS
    at_least: Number | None = None
    at_most: Number | None = None
    of: Literal["estimate", "interval"] = "estimate"

    @model_validator(mode="after")
    def _has_a_limit(self) -> ThresholdRequest:
        if self.at_least is None and self.at_most is None:
            raise ValueError("needs atLeast or atMost")
        return self


class RunOptions(FunctionRequest):
    """What is run on versions, beside showing what is stored."""

    run: bool = Field(
        default=True,
        strict=True,
        description="Run suites, which needs the scope `write`; false: only show what is stored.",
    )
    suites: list[Name] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=5,
        description="Datasets for evaluation; none: the agent's evaluation suite.",
    )
    thresholds: list[ThresholdRequest] = Field(
        fail_fast=True, default_factory=list, max_length=100, description="Of each suite."
    )


class ValidateRequest(RunOptions):
    """validateModel; without a version the deployed one."""

    agent_id: Name
    version: Identifier | None = None
    golden: Name | None = Field(
        default=None, description="Dataset for evaluation of which each item must be right."
    )
    latency_limit_seconds: Number | None = Field(
        default=None, gt=0, le=3600, description="Largest 95th percentile of an answer's time."
    )


class ValidationCheck(FunctionResponse):
    """One thing that was checked."""

    name: str
    passed: bool
    detail: str


class ValidateResponse(FunctionResponse):
    """Whether a version passed every check."""

    agent_id: str
    version: str
    valid: bool
    checks: list[ValidationCheck]
    metrics: dict[str, Any]
    benchmark_id: UUID | None = Field(default=None, description="Absent: nothing is run.")
    result: str | None = Field(
        default=None, description="Where the outcome of the checks that are run will be."
    )


class BenchmarkRequest(RunOptions):
    """benchmarkAgent; without versions those stored are shown, and the newest ones are run."""

    agent_id: Name
    versions: list[Identifier] = Field(fail_fast=True, default_factory=list, max_length=100)
    repeats: Integer = Field(default=1, ge=1, le=20, description="How often each item is asked.")


class VersionBenchmark(FunctionResponse):
    """One version's stored evaluation."""

    version: str
    status: str
    passed: bool
    reasons: list[str]
    accuracy: dict[str, Any] = Field(description="Group -> proportion with its 95 % interval.")
    accuracy_at_5: dict[str, Any] = Field(alias="accuracyAt5")
    compared_with: dict[str, Any] = Field(
        description="deployed or baseline -> group -> proportion, on the same items."
    )
    comparison: dict[str, Any]
    latency_seconds: float | None


class BenchmarkResponse(FunctionResponse):
    """Versions side by side, newest first."""

    agent_id: str
    versions: list[VersionBenchmark]
    benchmark_id: UUID | None = Field(default=None, description="Absent: nothing is run.")
    result: str | None = Field(default=None, description="Where the figures will be.")


class PricesRequest(FunctionRequest):
    """What an answer costs, in any one currency."""

    input_tokens_per_million: Number = Field(default=0, ge=0)
    output_tokens_per_million: Number = Field(default=0, ge=0)
    per_call: Number = Field(default=0, ge=0)


class AnalyseRequest(FunctionRequest):
    """analyzeAgentLogs: of the provided lines, or of what the agent reported in the last hours."""

    agent_id: Name
    hours: Integer = Field(default=24, ge=1, le=24 * 90)
    logs: list[LogLine] | None = Field(fail_fast=True, default=None, max_length=100_000)
    run: bool | None = Field(
        default=None,
        strict=True,
        description="Look for failure clusters, drift, cost, slow and looping interactions, which "
        "needs the scope `write`; false: only statistics. Absent: true, unless `logs` are sent.",
    )
    most: Integer = Field(
        default=5_000,
        ge=1,
        le=MAXIMUM_LOG_RECORDS,
        description="Newest interactions, and newest feedback events, that are analysed.",
    )
    slow_seconds: Number | None = Field(
        default=None,
        gt=0,
        le=3600,
        description="Absent: slow is beyond the outer fence of the latencies.",
    )
    prices: PricesRequest | None = None

    @property
    def runs(self) -> bool:
        """Whether an analysis is started."""
        return self.logs is None if self.run is None else self.run


class AnalyseResponse(FunctionResponse):
    """Statistics over an agent's logs; a proportion without anything behind it is null.

    Feedback that was sent twice counts once.
    """

    agent_id: str
    source: str = Field(description="logs (of the request) or feedback (as stored)")
    interactions: int
    feedback: int
    corrected: int
    corrected_proportion: float | None
    rated: int
    mean_rating: float | None
    rewarded: int
    mean_reward: float | None
    retracted: int
    annotations: int
    errors: int
    error_proportion: float | None
    latency_seconds: dict[str, float]
    per_hour: list[dict[str, Any]]
    analysis_id: UUID | None = Field(default=None, description="Absent: nothing is run.")
    result: str | None = Field(default=None, description="Where what was found will be.")
