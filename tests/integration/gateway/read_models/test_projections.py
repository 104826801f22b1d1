"""Events become read models."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from archon_contracts.commands import ConfigureAgent
from archon_contracts.events import (
    AgentConfigured,
    AgentParked,
    EvaluationCompleted,
    FeedbackCounted,
    FeedbackCounts,
    FeedbackWithdrawn,
    JobCompleted,
    JobState,
    LearningReport,
    MetricPoint,
    MetricsRecorded,
    TrainingRequested,
    TrainingStarted,
)
from archon_contracts.identifiers import new_id
from archon_contracts.metric_names import TRAIN_LOSS
from archon_contracts.topics import COORDINATOR_COMMANDS, JOBS
from tests.support.eventually import eventually
from tests.support.gateway.events import (
    NOON,
    SHARE,
    changed,
    deployed,
)
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

CATALOGUE = [{"name": "search", "description": "finds"}, {"name": "book"}]


async def test_an_agent_is_configured_when_the_coordinator_confirms(
    gateway: ServedGateway, name: str
) -> None:
    request_body = {
        "agent_id": name,
        "kind": "selector",
        "base_model": "pypi:m",
        "catalogue": CATALOGUE,
        "trigger": {"minimum_feedback": 5},
    }
    asked = await gateway.http.post("/v1/agents", json=request_body)
    assert asked.status_code == 202
    (record,) = await gateway.records(COORDINATOR_COMMANDS, name.encode())
    command = ConfigureAgent.model_validate_json(record.value)

    await gateway.publish(AgentConfigured(agent_id=name, profile=command.profile))

    await eventually(lambda: gateway.has_agent(name))
    agent = await gateway.get(f"/v1/agents/{name}")
    assert agent["profile"]["trigger"]["minimum_feedback"] == 5
    artifacts = gateway.application.service_context.artifacts
    assert command.profile.catalogue is not None
    assert b"finds" in await artifacts.read(command.profile.catalogue, "catalogue.json")


async def test_a_parked_agent_shows_the_reason_until_it_is_configured_again(
    gateway: ServedGateway, name: str
) -> None:
    await gateway.configure_agent(name)
    until = datetime.now(UTC) + timedelta(hours=1)
    await gateway.publish(AgentParked(agent_id=name, reason="OverflowError: date", until=until))

    async def is_parked() -> bool:
        return (await gateway.get(f"/v1/agents/{name}")).get("parked") is not None

    await eventually(is_parked)
    parked = (await gateway.get(f"/v1/agents/{name}"))["parked"]
    assert (parked["reason"], "POST /v1/agents" in parked["lift"]) == ("OverflowError: date", True)
    listed = (await gateway.get("/v1/status"))["parked_agents"]
    assert [each["reason"] for each in listed if each["agent_id"] == name] == [parked["reason"]]

    await gateway.configure_agent(name)

    async def is_free() -> bool:
        return not await is_parked()

    await eventually(is_free)


async def test_versions_show_how_many_retracted_items_they_may_hold(
    gateway: ServedGateway, name: str
) -> None:
    await gateway.configure_agent(name)
    for version in ("1.0.0", "1.0.1"):
        await gateway.publish(deployed(name, version))

    async def held() -> dict[str, int]:
        found = (await gateway.get(f"/v1/agents/{name}/models"))["items"]
        return {each["version"]: each["withdrawn_items"] for each in found}

    async def holds(expected: dict[str, int]) -> bool:
        return await held() == expected

    await eventually(lambda: holds({"1.0.0": 0, "1.0.1": 0}))
    both = {"1.0.0": 2, "1.0.1": 1}
    await gateway.publish(FeedbackWithdrawn(agent_id=name, affected_versions=both))
    await eventually(lambda: holds(both))

    # The list is whole: what a later one does not name holds nothing any more.
    await gateway.publish(FeedbackWithdrawn(agent_id=name, affected_versions={"1.0.0": 3}))

    await eventually(lambda: holds({"1.0.0": 3, "1.0.1": 0}))


async def test_a_dataset_keeps_its_name_and_content(gateway: ServedGateway, name: str) -> None:
    body = {"name": name, "purpose": "training", "items": [{"input": "q", "target": "t"}]}
    lines = b'{"input": "q", "target": "t"}\n'

    first = await gateway.http.post("/v1/datasets", json=body)
    again = await gateway.http.post(
        f"/v1/datasets?name={name}&purpose=training",
        content=lines,
        headers={"Content-Type": "application/x-ndjson"},
    )
    other = await gateway.http.post(
        "/v1/datasets", json=body | {"items": [{"input": "q", "target": "other"}]}
    )

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.json()["artifact"] == again.json()["artifact"]
    assert (await gateway.get(f"/v1/datasets/{name}"))["items"] == 1


async def test_a_requested_job_is_readable_at_once_and_its_event_leaves(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)

    response = await gateway.http.post("/v1/jobs", json={"agent_id": agent, "method": "continual"})

    job_id = response.json()["job_id"]
    job = await gateway.get(f"/v1/jobs/{job_id}")
    assert (response.status_code, job["state"]) == (202, "requested")

    async def sent() -> None:
        (record,) = await gateway.records(JOBS, agent.encode())
        assert str(TrainingRequested.model_validate_json(record.value).job_id) == job_id

    await eventually(sent)


async def test_a_job_shows_its_history_progress_evaluation_and_version(
    gateway: ServedGateway, name: str
) -> None:
    agent, job = await gateway.configure_agent(name), new_id()
    await gateway.publish(
        changed(job, agent, JobState.QUEUED, 0),
        changed(job, agent, JobState.TRAINING, 2),
        TrainingStarted(
            job_id=job, agent_id=agent, attempt=1, worker_id="w", total_steps=30, first_step_at=NOON
        ),
        MetricsRecorded(job_id=job, agent_id=agent, attempt=1, points=points()),
        EvaluationCompleted(
            agent_id=agent,
            job_id=job,
            evaluation_id=new_id(),
            passed=True,
            reasons=("better",),
            accuracy={"candidate": {"all": SHARE}},
            duration_seconds=1,
        ),
        changed(job, agent, JobState.COMPLETED, 9),
        JobCompleted(
            job_id=job,
            agent_id=agent,
            model="1.1.0",
            digest="d",
            stage_seconds={},
            learning=LearningReport(learnt=True, reasons=("weights moved",)),
        ),
    )

    async def shown() -> None:
        found = await gateway.get(f"/v1/jobs/{job}")
        assert [step["state"] for step in found["history"]] == ["queued", "training", "completed"]
        assert found["stage_seconds"] == {"queued": 2.0, "training": 7.0}
        assert (found["state"], found["version"]) == ("completed", "1.1.0")
        assert (found["learning"]["learnt"], found["learning"]["reasons"]) == (
            True,
            ["weights moved"],
        )
        assert found["evaluation"] is not None
        assert found["evaluation"]["accuracy"]["candidate"]["all"]["n"] == 200
        assert found["progress"] == {
            "attempt": 1, "step": 11, "total_steps": 30, "loss": 0.5, "eta_seconds": 19.0
        }  # fmt: skip

    await eventually(shown)
    metrics = (await gateway.get(f"/v1/jobs/{job}/metrics"))["items"]
    assert [(point["name"], point["step"]) for point in metrics] == [
        (TRAIN_LOSS, 1),
        (TRAIN_LOSS, 11),
    ]


def points() -> tuple[MetricPoint, ...]:
    return tuple(
        MetricPoint(
            name=TRAIN_LOSS, value=value, step=step, recorded_at=NOON + timedelta(seconds=at)
        )
        for value, step, at in ((0.9, 1, 0), (0.5, 11, 10))
    )


async def test_a_duplicate_or_late_event_changes_nothing(gateway: ServedGateway, name: str) -> None:
    agent, job = await gateway.configure_agent(name), new_id()
    late = changed(job, agent, JobState.QUEUED, 0)
    await gateway.publish(changed(job, agent, JobState.TRAINING, 5), late, late)

    async def shown() -> None:
        found = await gateway.get(f"/v1/jobs/{job}")
        assert found["state"] == "training"
        assert len(found["history"]) == 3

    await eventually(shown)


def counts(**fields: Any) -> FeedbackCounts:
    return FeedbackCounts(
        **({"hour": datetime.now(UTC).replace(minute=0, second=0, microsecond=0)} | fields)
    )


async def test_counted_feedback_is_added_to_the_agents_totals_and_analysis(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    batch = FeedbackCounted(
        agent_id=agent,
        counts=(
            counts(feedback=2, corrected=1, rated=2, rating_sum=6.0, model_version="1.0.0"),
            counts(interactions=3, failed=1, latencies={"0": 1, "4": 2}, model_version="1.1.0"),
        ),
    )

    await gateway.publish(batch, batch)

    async def shown() -> None:
        totals = (await gateway.get(f"/v1/agents/{agent}"))["feedback_totals"]
        assert (totals["feedback"], totals["corrected"], totals["mean_rating"]) == (4, 2, 3.0)

    await eventually(shown)
    body = {"agentId": agent}
    analysis = (await gateway.http.post("/v1/functions/analyzeAgentLogs", json=body)).json()
    assert (analysis["source"], analysis["feedback"], analysis["errorProportion"]) == (
        "feedback",
        4,
        0.3333,
    )
    assert analysis["latencySeconds"] == {"p50": 2.0, "p90": 2.0, "p99": 2.0}
    assert len(analysis["perHour"]) == 1
