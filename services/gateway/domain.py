"""Views that the API returns, and the pure functions that derive parts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field, JsonValue

from archon_contracts.events import Capability, JobState
from archon_contracts.rules.bounds import SATURATE
from archon_contracts.values import AgentKind, AgentProfile, ArtifactRef
from services.gateway.views.base import View as View
from services.gateway.views.metrics import MetricView as MetricView
from services.gateway.views.models import DeploymentView as DeploymentView
from services.gateway.views.models import Lineage as Lineage
from services.gateway.views.models import ModelView as ModelView

WORKER_TIMEOUT: Final = timedelta(minutes=10)
"""How long after its last report a worker is still shown, and its recipes count."""


class DeployedVersion(View):
    """The model version that an agent uses."""

    version: str
    digest: str
    uri: str
    deployed_at: datetime | None = None


class FeedbackTotals(View):
    """Stored feedback of an agent; an event that was sent again counts once."""

    feedback: int = 0
    corrected: int = 0
    rated: int = 0
    mean_rating: float | None = None
    interactions: int = 0
    last_hour: datetime | None = Field(default=None, description="Start of the newest hour.")


class ParkedView(View):
    """Why no retrain of an agent begins by itself, and what ends that."""

    reason: str
    since: datetime
    until: datetime
    lift: str = Field(
        default="Configure the agent again (POST /v1/agents), with what the reason names mended; "
        "else it is evaluated again at `until`.",
    )


class SuiteMisfit(View):
    """What items of an evaluation dataset ask for though it is no answer of the agent."""

    target: str
    items: int
    ids: list[str] = Field(description="Ids of these items, the first 20.")


class AgentView(View):
    """An agent with its deployed version and open job."""

    agent_id: str
    kind: AgentKind
    base_model: str
    profile: AgentProfile
    evaluation_dataset: str | None = None
    deployed_version: str | None = None
    deployed: DeployedVersion | None = None
    open_job: UUID | None = None
    feedback_totals: FeedbackTotals = FeedbackTotals()
    unused_feedback: int | None = Field(
        default=None,
        description="Feedback in no window yet, which the trigger counts; absent: none was stored.",
    )
    parked: ParkedView | None = Field(
        default=None, description="Present: its trigger could not be evaluated."
    )
    configured_at: datetime | None = Field(default=None, description="Absent: not confirmed yet.")
    unscored_targets: list[SuiteMisfit] = Field(
        default=[],
        description="Only in the answer to a configuration: what items of the evaluation dataset "
        "ask for that the agent cannot answer. They are not scored until it can. At most 20.",
    )


class KeyView(View):
    """An API key without its text and hash."""

    id: UUID
    tenant_id: str
    name: str
    scopes: list[str]
    agents: list[str] | None = Field(
        default=None, description="The agents that it is bound to; absent: all of the tenant."
    )
    created_at: datetime
    created_by: UUID | None = Field(default=None, description="The key that created it.")
    last_used_on: date | None = Field(default=None, description="To the day, in UTC.")
    expires_at: datetime | None = Field(default=None, description="Absent: it does not expire.")
    revoked_at: datetime | None = None


class NewKey(KeyView):
    """A new key with its text, which no later answer shows."""

    key: str


class DatasetView(View):
    """An uploaded dataset."""

    name: str
    purpose: str
    items: int
    artifact: ArtifactRef
    created_at: datetime | None = None


class PreparedDatasetView(View):
    """A dataset version that data preparation produced for a job."""

    dataset_id: UUID
    agent_id: str
    job_id: UUID
    dataset_version: int
    artifact: ArtifactRef
    items: dict[str, int]
    quality: dict[str, JsonValue]
    prepared_at: datetime


class TransitionView(View):
    """One step of a job's history."""

    state: JobState
    from_state: JobState | None = None
    attempt: int
    reason: str
    at: datetime


class TrainingProgressView(View):
    """Progress of a training."""

    attempt: int
    step: int
    total_steps: int | None = None
    loss: float | None = None
    eta_seconds: float | None = None


class JobSummary(View):
    """A job in the list."""

    job_id: UUID
    agent_id: str
    method: str | None
    state: JobState
    attempt: int
    reason: str
    trace_id: str
    version: str | None = None
    dataset_name: str | None = None
    created_at: datetime
    state_at: datetime | None = None


class JobView(JobSummary):
    """A job with its history, progress and results."""

    history: list[TransitionView]
    progress: TrainingProgressView | None = None
    dataset: dict[str, Any] | None = Field(default=None, description="DatasetPrepared.")
    evaluation: dict[str, Any] | None = Field(default=None, description="EvaluationCompleted.")
    trigger: dict[str, Any] | None = Field(default=None, description="RetrainTriggered.")
    learning: dict[str, Any] | None = Field(
        default=None, description="LearningReport: whether the run learnt something."
    )
    returned: dict[str, Any] | None = Field(default=None, description="FeedbackReturned.")
    config: dict[str, Any] = Field(default_factory=dict)
    requested_by: str | None = None
    digest: str | None = None
    stage_seconds: dict[str, float]


class JobAccepted(View):
    """The answer to an accepted training request."""

    job_id: UUID
    trace_id: str


SYNTHETIC_DATASET: Final = "synthetic-"
"""Before the id of the request, the name of a generated dataset."""


def name_synthetic_dataset(request_id: UUID) -> str:
    """The name of the dataset that a request for synthetic data gives."""
    return f"{SYNTHETIC_DATASET}{request_id}"


def synthetic_request_of(dataset: str) -> UUID | None:
    """The request that gave a dataset of this name; None: it was not generated."""
    request_id = dataset.removeprefix(SYNTHETIC_DATASET)
    try:
        return UUID(request_id) if request_id != dataset else None
    except ValueError:
        return None


def find_return_obstacle(job: JobView, models: Sequence[ModelView]) -> str | None:
    """Why the feedback of a job cannot be new data again; None: it can."""
    if not job.state.is_final:
        return f"is {job.state.value}; cancel it to give its feedback back"
    if job.trigger is None:
        return "learnt a dataset and no window of feedback"
    if any(each.version == job.version and each.deployed_at is not None for each in models):
        return f"gave version {job.version}, which was deployed and has learnt the feedback"
    return None


class SyntheticView(View):
    """A request for synthetic data, and its result when it is there."""

    request_id: UUID
    agent_id: str
    state: str = Field(description="requested, running, ready or cancelled")
    request: dict[str, Any]
    requested_at: datetime
    progress: dict[str, Any] | None = Field(
        default=None, description="SyntheticDataProgressed; absent: not begun."
    )
    artifact: ArtifactRef | None = None
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


class BenchmarkView(View):
    """A benchmark or validation: its progress, and its outcome when it is there."""

    benchmark_id: UUID
    agent_id: str
    mode: str
    state: Literal["requested", "running", "completed", "failed", "cancelled"]
    request: dict[str, Any]
    requested_at: datetime
    progress: dict[str, Any] | None = None
    result: dict[str, Any] | None = Field(default=None, description="BenchmarkCompleted.")
    failure: dict[str, Any] | None = Field(default=None, description="BenchmarkFailed.")
    finished_at: datetime | None = None


class LogAnalysisView(View):
    """An analysis of an agent's logs: its progress, and what it found."""

    analysis_id: UUID
    agent_id: str
    state: Literal["requested", "running", "completed", "failed"]
    request: dict[str, Any] = Field(description="AnalyzeLogs or AnalyzeInteractions.")
    requested_at: datetime
    progress: dict[str, Any] | None = None
    result: dict[str, Any] | None = Field(default=None, description="LogsAnalyzed.")
    failure: dict[str, Any] | None = Field(default=None, description="LogAnalysisFailed.")
    finished_at: datetime | None = None


class WorkerView(View):
    """A worker according to its last report."""

    worker_id: str
    service: str
    slots: int
    busy: int
    devices: list[str]
    memory_mb: float
    capabilities: list[Capability] = Field(default_factory=list)
    seen_at: datetime


class SpanView(View):
    """A span of a trace."""

    span_id: str
    parent_id: str | None
    service: str
    name: str
    kind: str
    started_at: datetime
    ended_at: datetime
    status: str
    error: str | None
    attributes: dict[str, Any]
    links: list[str]


class TraceView(View):
    """A trace; an orphan names a parent that is not in it."""

    trace_id: str
    spans: list[SpanView]
    orphans: list[str]
    services: list[str]


def build_agent(row: Mapping[str, Any], counters: FeedbackTotals) -> AgentView:
    """An agent of its row and its counters."""
    profile = AgentProfile.model_validate(row["profile"], context=SATURATE)
    deployed = None
    if row["deployed_version"] is not None:
        deployed = DeployedVersion(
            version=row["deployed_version"],
            digest=row["deployed_digest"],
            uri=row["deployed_uri"],
            deployed_at=row["deployed_at"],
        )
    return AgentView(
        agent_id=row["agent_id"],
        kind=profile.kind,
        base_model=profile.base_model,
        profile=profile,
        evaluation_dataset=row["evaluation_dataset"],
        deployed_version=row["deployed_version"],
        deployed=deployed,
        open_job=row["open_job"],
        feedback_totals=counters,
        unused_feedback=row["unused_feedback"],
        parked=_build_parked(row),
        configured_at=row["configured_at"],
    )


def _build_parked(row: Mapping[str, Any]) -> ParkedView | None:
    if row["parked_reason"] is None:
        return None
    return ParkedView(
        reason=row["parked_reason"], since=row["parked_at"], until=row["parked_until"]
    )


def build_trace(trace_id: str, spans: list[SpanView]) -> TraceView:
    """The spans with their services and orphans."""
    known = {span.span_id for span in spans}
    orphans = [s.span_id for s in spans if s.parent_id is not None and s.parent_id not in known]
    services = sorted({span.service for span in spans})
    return TraceView(trace_id=trace_id, spans=spans, orphans=orphans, services=services)


def sum_stage_seconds(history: Sequence[TransitionView], now: datetime) -> dict[str, float]:
    """Seconds spent in each state; the present one counts up to `now`, a final one takes none."""
    seconds: dict[str, float] = {}
    for index, step in enumerate(history):
        if step.state.is_final:
            continue
        end = history[index + 1].at if index + 1 < len(history) else now
        spent = max((end - step.at).total_seconds(), 0.0)
        seconds[step.state] = round(seconds.get(step.state, 0.0) + spent, 3)
    return seconds


def estimate_eta_seconds(
    *, step: int, resumed_from: int, total: int, started_at: datetime, recorded_at: datetime
) -> float | None:
    """Remaining seconds at the pace so far; None until two steps show a pace.

    `started_at` is the end of the attempt's first step, so that step is not part of the pace.
    """
    paced_steps = step - resumed_from - 1
    elapsed = (recorded_at - started_at).total_seconds()
    if paced_steps < 1 or elapsed <= 0:
        return None
    return round(max(total - step, 0) * elapsed / paced_steps, 1)
