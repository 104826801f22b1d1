"""What pages show: a retrain from feedback to its deployment, and a browser's way to see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import httpx

from archon_contracts.base import Contract
from archon_contracts.events import (
    AgentConfigured,
    CurriculumMeasured,
    DatasetPrepared,
    EvaluationCompleted,
    FeedbackCounted,
    FeedbackCounts,
    JobCompleted,
    JobState,
    JobStateChanged,
    MetricPoint,
    MetricsRecorded,
    ModelDeployed,
    ModelRegistered,
    NextTask,
    QualityReport,
    RetrainTriggered,
    SkillProgress,
    TrainingStarted,
    WorkerReported,
)
from archon_contracts.identifiers import new_id
from archon_contracts.metric_names import RESOURCES
from archon_contracts.rules.task_types import TaskType
from archon_contracts.topics import JOBS
from archon_contracts.values import AgentProfile, ArtifactRef, Estimate, ModelRef, TrainingMethod
from services.gateway.dead_letters.letters import StoredDeadLetter
from tests.support.eventually import eventually
from tests.support.gateway.dashboard_files import TOPICS, dataset_files, evaluation_files
from tests.support.gateway.experiments import events_of_experiment
from tests.support.gateway.gateway import KEY, ServedGateway

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7*7 }} مرحبا ‮evil 🦊"
"""Text that is shown as text: markup, quotes, a template, right-to-left, an override, an emoji."""
PLAIN = "no group loses more than allowed"
READS_PAGES = {"Accept": "text/html,*/*;q=0.8"}
TRACE = "d4" * 16
WEIGHTS = ArtifactRef(uri="file:///weights", digest="b" * 64)
STEPS = 60


def browser_of(gateway: ServedGateway) -> httpx.AsyncClient:
    """A client without a key that keeps cookies, follows nothing and says where it comes from."""
    base = str(gateway.http.base_url).rstrip("/")
    return httpx.AsyncClient(base_url=base, headers={**READS_PAGES, "Origin": base}, timeout=20)


async def sign_in(browser: httpx.AsyncClient, key: str = KEY, to: str = "/") -> httpx.Response:
    """Exchange a key for a session, as the form does."""
    return await browser.post("/sign-in", data={"key": key, "next": to})


async def store_retrain(gateway: ServedGateway, agent_id: str, text: str = PLAIN) -> UUID:
    """Let the gateway read a whole retrain of a new agent and its canary, which has the same id.

    Returns its job.
    """
    job_id = new_id()
    canary = events_of_experiment(agent_id, job_id, text)
    artifacts = gateway.application.service_context.artifacts
    files = (
        await artifacts.publish_files(dataset_files(text)),
        await artifacts.publish_files(evaluation_files(text)),
    )
    await gateway.publish(*events_of_retrain(agent_id, job_id, text, files), *canary)

    async def is_shown() -> None:
        job = await gateway.get(f"/v1/jobs/{job_id}")
        assert job["state"] == "completed"
        assert job["evaluation"] is not None
        assert (job["progress"] or {}).get("step") == STEPS
        agent = await gateway.get(f"/v1/agents/{agent_id}")
        assert agent["deployed_version"] == "1.1.0"
        assert agent["feedback_totals"]["feedback"] == 602
        assert (await gateway.get(f"/v1/experiments/{job_id}"))["state"] == "promoted"
        assert (await gateway.get(f"/v1/agents/{agent_id}/curriculum"))["level"] == 2

    await eventually(is_shown, timeout=20)
    return job_id


async def store_first_version(
    gateway: ServedGateway, agent_id: str, *, deployed: bool = False
) -> tuple[UUID, UUID]:
    """Let the gateway read an earlier training of a known agent; returns its job and dataset.

    `deployed` is for an agent without any other version yet.
    """
    job_id, dataset_id = new_id(), new_id()
    began = datetime.now(UTC) - timedelta(hours=2)
    job: dict[str, Any] = {"agent_id": agent_id, "job_id": job_id}
    artifacts = gateway.application.service_context.artifacts
    artifact = await artifacts.publish_files(dataset_files(PLAIN, first=10))
    await gateway.publish(
        *_state_changes(job, "the first training", began, "c3" * 16),
        MetricsRecorded(**job, attempt=1, points=_points(PLAIN, began, 1.3)),
        DatasetPrepared(
            **job,
            dataset_id=dataset_id,
            dataset_version=2,
            artifact=artifact,
            items={"train": 30, "validation": 5, "test": 5},
            quality=QualityReport(received=41, kept=40, quarantined=1),
        ),
        EvaluationCompleted(
            **job,
            evaluation_id=new_id(),
            passed=True,
            reasons=("nothing was deployed before",),
            accuracy={"candidate": {"all": _estimate(0.75), **_by_topic(0.15)}},
            duration_seconds=1,
        ),
        ModelRegistered(
            **job,
            model_id=new_id(),
            model=ModelRef(version="1.0.0", artifact=WEIGHTS),
            dataset_id=dataset_id,
            metrics={"accuracy": _estimate(0.75)},
        ),
    )
    if deployed:
        await gateway.publish(
            ModelDeployed(
                **job,
                revision=1,
                actor="gate",
                model=ModelRef(version="1.0.0", artifact=WEIGHTS),
                reason="nothing was deployed before",
                deployed_at=began + timedelta(seconds=80),
            )
        )

    async def is_shown() -> None:
        model = await gateway.get(f"/v1/agents/{agent_id}/models/1.0.0")
        assert model["evaluation"] is not None
        assert not deployed or model["status"] == "deployed"
        assert (await gateway.get(f"/v1/jobs/{job_id}"))["dataset"] is not None
        assert (await gateway.get(f"/v1/jobs/{job_id}/series"))["items"] is not None

    await eventually(is_shown, timeout=20)
    return job_id, dataset_id


def _by_topic(loss: float = 0.0) -> dict[str, Estimate]:
    return {topic: _estimate(0.5 + 0.09 * n - loss) for n, topic in enumerate(TOPICS)}


def events_of_retrain(
    agent_id: str,
    job_id: UUID,
    text: str,
    files: tuple[ArtifactRef, ArtifactRef] = (WEIGHTS, WEIGHTS),
) -> list[Contract]:
    """The events of a retrain that was deployed; `text` stands wherever somebody may write one.

    `files` are the dataset's and the evaluation's.
    """
    began = datetime.now(UTC) - timedelta(minutes=4)
    job: dict[str, Any] = {"agent_id": agent_id, "job_id": job_id}
    dataset_id = new_id()
    name = "contradicted" if text == PLAIN else text
    return [
        AgentConfigured(
            agent_id=agent_id,
            profile=AgentProfile(agent_id=agent_id, kind="classifier", base_model="pypi:m"),
        ),
        RetrainTriggered(
            **job, window_id=new_id(), reason="count", feedback_count=602, feedback_digest="f" * 64
        ),
        *_state_changes(job, text, began),
        TrainingStarted(**job, attempt=1, worker_id="w", total_steps=STEPS, first_step_at=began),
        MetricsRecorded(**job, attempt=1, points=_points(text, began)),
        FeedbackCounted(
            agent_id=agent_id,
            counts=(*_earlier_counts(began), _counts(began)),
            unused=82,
            unused_at=datetime.now(UTC),
        ),
        _dataset_prepared(job | {"dataset_id": dataset_id}, name, files[0]),
        _evaluation_completed(job, name, text, files[1]),
        *_model_events(job, name, text, began, dataset_id),
        _curriculum(agent_id, text),
        WorkerReported(worker_id="trainer-1", service="trainer", slots=2, busy=1),
    ]


def _state_changes(
    job: dict[str, Any], text: str, began: datetime, trace: str = TRACE
) -> list[JobStateChanged]:
    states = [state for state in JobState if not state.is_final] + [JobState.COMPLETED]
    return [
        JobStateChanged(
            **job,
            method=TrainingMethod.CONTINUAL,
            to_state=state,
            attempt=1,
            reason=text,
            occurred_at=began + timedelta(seconds=7 * number),
            trace_id=trace,
        )
        for number, state in enumerate(states)
    ]


def _dataset_prepared(job: dict[str, Any], name: str, files: ArtifactRef) -> DatasetPrepared:
    return DatasetPrepared(
        **job,
        dataset_version=3,
        artifact=files,
        items={"train": 480, "validation": 60, "test": 60},
        quality=QualityReport(
            received=640, kept=600, quarantined=12, quarantined_by_reason={name: 12}
        ),
    )


def _evaluation_completed(
    job: dict[str, Any], name: str, text: str, files: ArtifactRef
) -> EvaluationCompleted:
    return EvaluationCompleted(
        **job,
        evaluation_id=new_id(),
        passed=True,
        reasons=(f"accuracy rises by 9.0 points (p = 0.001); {text}",),
        accuracy={
            "candidate": {"all": _estimate(0.84), name: _estimate(0.7), **_by_topic()},
            "deployed": {"all": _estimate(0.75)},
        },
        predictions=files,
        compared_with="1.0.0",
        duration_seconds=1,
    )


def _model_events(
    job: dict[str, Any], name: str, text: str, began: datetime, dataset_id: UUID
) -> list[Contract]:
    """The new version is registered, the job completes, the version is deployed."""
    model = ModelRef(version="1.1.0", artifact=WEIGHTS)
    return [
        ModelRegistered(
            **job,
            model_id=new_id(),
            model=model,
            parent_version="1.0.0",
            dataset_id=dataset_id,
            lineage={"feedback_count": 602, "trigger": "count", "method": "continual"},
            metrics={name: _estimate(0.84)},
        ),
        JobCompleted(**job, model="1.1.0", digest="b" * 64, stage_seconds={}),
        ModelDeployed(
            **job,
            revision=2,
            actor=text,
            model=model,
            previous_version="1.0.0",
            reason=text,
            deployed_at=began + timedelta(seconds=80),
        ),
    ]


def _points(text: str, at: datetime, scale: float = 1.0) -> tuple[MetricPoint, ...]:
    falling = {
        "train/loss": 1.6 * scale,
        "validation/loss": 1.8 * scale,
        "train/learning_rate": 3e-4,
        "train/gradient_norm": 2.5 * scale,
    }
    if text != PLAIN:
        falling[text] = 1.0
    found = [
        MetricPoint(name=name, value=first / (1 + step / 9), step=step, recorded_at=at)
        for name, first in falling.items()
        for step in range(1, STEPS + 1)
    ]
    rising = [
        MetricPoint(name="validation/accuracy", value=0.84 - 0.3 / step, step=step, recorded_at=at)
        for step in range(1, STEPS + 1, 5)
    ]
    used = {"wall_seconds": 90.0, "cpu_seconds": 84.0, "cost": 0.125, "peak_memory_mb": 812.0}
    resources = [
        MetricPoint(name=f"{RESOURCES}{name}", value=value, step=STEPS, recorded_at=at)
        for name, value in used.items()
    ]
    return (*found, *rising, *resources)


def _counts(at: datetime) -> FeedbackCounts:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return FeedbackCounts(hour=hour, feedback=602, corrected=341, rated=120, rating_sum=492.0)


def _curriculum(agent_id: str, text: str) -> CurriculumMeasured:
    """An agent on the second level, with a skill; skills' names are texts of agents."""
    skill = SkillProgress(
        skill=text,
        task_type=TaskType.MULTI_STEP,
        level=2,
        success_rate=_estimate(0.71),
        best_rate=0.8,
        is_mastered=True,
    )
    return CurriculumMeasured(
        agent_id=agent_id,
        level=2,
        skills=(skill,),
        next_tasks=(NextTask(skill=text, proportion=1.0, reason=text),),
        reason=text,
    )


def _earlier_counts(at: datetime) -> list[FeedbackCounts]:
    """Interactions of the two weeks before: they are no feedback, and some of them failed."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    return [
        FeedbackCounts(
            hour=hour - timedelta(days=day), interactions=200 + 9 * day % 40, failed=3 + day % 4
        )
        for day in range(1, 14)
    ]


def _estimate(value: float) -> Estimate:
    return Estimate(value=value, low=value - 0.03, high=value + 0.03, n=600)


def letter_of(number: int, body: bytes) -> StoredDeadLetter:
    """A record of the jobs' topic that the gateway could not handle."""
    now = datetime.now(UTC)
    return StoredDeadLetter(
        id=f"gateway:0:{number}",
        service="gateway",
        reason=HOSTILE,
        error_type="MalformedBody",
        attempts=3,
        topic=JOBS.name,
        partition=0,
        record_offset=number,
        key=b"\xffkey",
        headers=((HOSTILE, b"\xfe"),),
        null_headers=(),
        body=body,
        size_bytes=len(body),
        first_at=now,
        last_at=now,
    )


class PageReader(HTMLParser):
    """The elements of a page, and what a browser would load for it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.loaded: list[str] = []
        self.rawdata = text
        self.close()  # reads all of it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        stated = {name: value or "" for name, value in attrs}
        self.elements.append((tag, stated))
        if tag in ("script", "img", "iframe", "source"):
            self.loaded.append(stated.get("src", ""))
        if tag == "link":
            self.loaded.append(stated.get("href", ""))

    def forms(self) -> list[str]:
        """Where the forms of the page are sent to."""
        return [each.get("action", "") for tag, each in self.elements if tag == "form"]

    def links(self) -> list[str]:
        """Where the links of the page lead."""
        return [each.get("href", "") for tag, each in self.elements if tag == "a"]

    def value_of(self, field: str) -> str:
        """The value of a hidden field."""
        return next(e["value"] for t, e in self.elements if t == "input" and e["name"] == field)
