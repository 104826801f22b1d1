"""Requests become commands or problem documents."""

from uuid import UUID

import pytest

from archon_contracts.commands import CancelJob, DeployModel, RollBackModel
from archon_contracts.events import (
    Capability,
    JobState,
    SyntheticDataCancelled,
    SyntheticDataGenerated,
    SyntheticDataProgressed,
    WorkerReported,
)
from archon_contracts.identifiers import new_id
from archon_contracts.topics import COORDINATOR_COMMANDS, REGISTRY_COMMANDS
from archon_contracts.values import AgentKind, TrainingMethod
from tests.support.eventually import eventually
from tests.support.gateway.events import WEIGHTS, changed, deployed, is_answered
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_model_and_job_requests_are_sent_as_commands(
    gateway: ServedGateway, name: str
) -> None:
    agent, job = await gateway.configure_agent(name), new_id()
    await gateway.publish(
        deployed(agent, "1.0.0"),
        deployed(agent, "1.1.0"),
        changed(job, agent, JobState.QUEUED, 0),
    )
    await eventually(lambda: is_answered(gateway, f"/v1/agents/{agent}/models/1.1.0"))
    await eventually(lambda: is_answered(gateway, f"/v1/jobs/{job}"))

    path = f"/v1/agents/{agent}"
    deploy = await gateway.http.post(f"{path}/models/1.0.0/deploy", json={"reason": "good"})
    back = await gateway.http.post(f"{path}/rollback", json={"reason": "odd"})
    cancel = await gateway.http.post(f"/v1/jobs/{job}/cancel", json={"reason": "wrong"})

    assert [r.status_code for r in (deploy, back, cancel)] == [202, 202, 202]

    async def sent() -> None:
        to_registry = await gateway.records(REGISTRY_COMMANDS, agent.encode())
        to_coordinator = await gateway.records(COORDINATOR_COMMANDS, str(job).encode())
        kinds = [dict(r.headers)["ce_type"].decode() for r in (*to_registry, *to_coordinator)]
        assert kinds == [c.message_type() for c in (DeployModel, RollBackModel, CancelJob)]

    await eventually(sent)


async def test_synthetic_data_is_asked_for_and_its_result_shown(
    gateway: ServedGateway, name: str
) -> None:
    request_body = {
        "agentId": name,
        "scenarioType": "customer-support",
        "count": 10,
        "diversity": 0.8,
    }

    answer = (
        await gateway.http.post("/v1/functions/generateSyntheticTrainingData", json=request_body)
    ).json()
    assert (await gateway.get(answer["result"]))["state"] == "requested"
    request = {"agent_id": name, "request_id": answer["requestId"]}
    progress = SyntheticDataProgressed(**request, accepted=3, candidates=8, total=10)
    late = SyntheticDataProgressed(**request, accepted=1, candidates=4, total=10)
    await gateway.publish(progress, late)

    async def running() -> None:
        found = await gateway.get(answer["result"])
        assert found["state"] == "running"
        assert found["progress"]["accepted"] == 3

    await eventually(running)
    shortfall = "asked for 10, delivered 9: duplicate 4"
    await gateway.publish(
        SyntheticDataGenerated(
            **request, artifact=WEIGHTS, items=9, requested=10, shortfall=shortfall
        )
    )

    async def ready() -> None:
        found = await gateway.get(answer["result"])
        assert (found["state"], found["items"]) == ("ready", 9)
        assert (found["requested"], found["shortfall"]) == (10, shortfall)
        listed = await gateway.get(f"/v1/datasets/{found['dataset']}")
        assert (listed["purpose"], listed["artifact"]["digest"]) == ("training", WEIGHTS.digest)

    await eventually(ready)


async def test_a_request_for_synthetic_data_is_cancelled_until_it_has_ended(
    gateway: ServedGateway, name: str
) -> None:
    request_body = {"agentId": name, "scenarioType": "tool-use", "count": 10}
    path = "/v1/functions/generateSyntheticTrainingData"
    answer = (await gateway.http.post(path, json=request_body)).json()
    cancel = f"{answer['result']}/cancel"

    accepted = await gateway.http.post(cancel, json={"reason": "too many"})
    await gateway.publish(
        SyntheticDataCancelled(agent_id=name, request_id=answer["requestId"], reason="too many")
    )

    async def cancelled() -> None:
        found = await gateway.get(answer["result"])
        assert (found["state"], found["reason"]) == ("cancelled", "too many")

    await eventually(cancelled)
    again = await gateway.http.post(cancel)
    assert (accepted.status_code, again.status_code) == (202, 409)


async def announce_methods(gateway: ServedGateway, worker: str) -> None:
    """Let the gateway know a trainer with two recipes for selectors."""
    capabilities = tuple(
        Capability(kind=AgentKind.SELECTOR, method=method)
        for method in (TrainingMethod.SUPERVISED, TrainingMethod.CONTINUAL)
    )
    report = WorkerReported(
        worker_id=worker,
        service="trainer",
        slots=1,
        busy=0,
        devices=("cpu",),
        capabilities=capabilities,
    )
    await gateway.publish(report)

    async def shown() -> None:
        workers = (await gateway.get("/v1/status"))["workers"]
        found = {each["worker_id"]: each["capabilities"] for each in workers}
        assert [each["method"] for each in found.get(worker, ())] == ["supervised", "continual"]

    await eventually(shown)


async def test_adapting_publishes_the_feedback_and_starts_a_job(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    await announce_methods(gateway, f"worker-{name}")
    item = {"input": "q", "expected": "x", "actual": "y", "rating": 3}
    request_body = {"agentId": agent, "feedback": [item], "method": "continual"}

    answer = await gateway.http.post("/v1/functions/adaptAgentBehavior", json=request_body)
    refused = await gateway.http.post(
        "/v1/functions/adaptAgentBehavior", json=request_body | {"method": "reinforcement"}
    )

    assert (answer.status_code, answer.json()["acceptedFeedback"]) == (202, 1)
    job = await gateway.get(f"/v1/jobs/{answer.json()['jobId']}")
    assert (job["method"], job["dataset_name"]) == ("continual", None)
    assert refused.status_code == 422
    assert "available: supervised, continual" in refused.json()["detail"]


async def test_the_status_shows_workers_and_open_jobs(gateway: ServedGateway, name: str) -> None:
    agent, worker = await gateway.configure_agent(name), f"worker-{name}"
    await gateway.publish(changed(new_id(), agent, JobState.QUEUED, 0))
    await announce_methods(gateway, worker)

    async def shown() -> None:
        assert (await gateway.get("/v1/status"))["open_jobs"].get("queued", 0) >= 1

    await eventually(shown)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/jobs/not-a-uuid", 422),
        ("GET", f"/v1/jobs/{UUID(int=1)}", 404),
        ("GET", "/v1/agents/nobody", 404),
        ("GET", "/v1/agents/no%20spaces", 422),
        ("GET", "/v1/agents/nobody/models", 404),
        ("GET", "/v1/datasets/none", 404),
        ("GET", "/v1/jobs?state=lost", 422),
        ("GET", "/v1/jobs?limit=0", 422),
        ("GET", "/v1/nowhere", 404),
        ("DELETE", "/v1/jobs", 405),
        ("POST", "/v1/jobs", 422),
    ],
)
async def test_every_refusal_is_a_problem_document(
    gateway: ServedGateway, method: str, path: str, status: int
) -> None:
    response = await gateway.http.request(method, path, json={} if method == "POST" else None)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
