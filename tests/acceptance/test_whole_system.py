"""From feedback to a deployed version, on real parts, whatever dies on the way."""

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.cli.audit_tables import compare_tables
from deploy.demo.agent_process import AgentFiles
from deploy.demo.audit import FeedbackAudit, audit_feedback
from deploy.demo.client_log import ProductionRequest, feedback_ids, read_answers
from deploy.demo.traffic import Traffic
from tests.support.data.tiny_world import agent, corrections, production_requests
from tests.support.eventually import eventually
from tests.support.infrastructure.system import System

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
SERVICES = {
    "gateway", "coordinator", "data_prep", "trainer", "trainer.child", "evaluator", "registry"
}  # fmt: skip
COMPONENTS = ("postgres", "broker")
FEEDBACK = 24


async def test_feedback_becomes_a_deployed_version_in_one_whole_trace(system: System) -> None:
    await system.deploy_first_version("loop")

    sent = await system.correct("loop")
    job = await system.completed(await system.retrain_of("loop"))

    assert await audit(system, "loop", sent) == FeedbackAudit(
        sent=FEEDBACK, stored=FEEDBACK, used=FEEDBACK, lost=0, double=0
    )
    assert job["trigger"]["feedback_count"] == FEEDBACK
    assert await system.versions("loop") == ["1.0.0", job["version"]]
    trace = await whole_trace(system, job["job_id"])
    assert set(trace["services"]) >= SERVICES


async def test_an_agent_swaps_to_the_version_that_its_feedback_made(
    system: System, tmp_path: Path
) -> None:
    await system.deploy_first_version("served")
    files = AgentFiles.fresh(tmp_path)
    traffic = Traffic(files.requests)

    async with system.agent("served", files) as process:
        await process.start()
        traffic.send(production_requests("served"))
        job = await system.completed(await system.retrain_of("served"))
        later = [ProductionRequest(request_id="later", input="play my song")]
        async with traffic.trickling(later, every_seconds=0.2):
            await eventually(
                lambda: read_answers(files.client_log)[-1].version == job["version"], timeout=20
            )

    client_log = read_answers(files.client_log)
    assert (await audit(system, "served", feedback_ids(client_log))).used == FEEDBACK
    assert client_log[-1].digest == job["digest"]
    trace = await whole_trace(system, job["job_id"])
    assert {"agent", "trainer.child"} <= set(trace["services"])


async def test_a_service_process_never_holds_torch(system: System) -> None:
    parents = [status for status in system.runtime.status() if status.name not in COMPONENTS]

    with_torch = [each.name for each in parents if each.pid and _holds_torch(each.pid)]

    assert len(parents) == 8
    assert with_torch == []


@pytest.mark.parametrize("victim", ["trainer", "coordinator"])
async def test_a_retrain_outlives_the_death_of(system: System, victim: str) -> None:
    agent_id = f"without-{victim}"
    await system.deploy_first_version(agent_id, steps=60)

    sent = await system.correct(agent_id)
    job_id = await system.retrain_of(agent_id)
    await system.reaches(job_id, "training")
    system.runtime.kill(victim)
    job = await system.completed(job_id)

    found = await audit(system, agent_id, sent)
    assert (found.sent, found.stored, found.lost, found.double) == (FEEDBACK, FEEDBACK, 0, 0)
    assert await system.versions(agent_id) == ["1.0.0", job["version"]]


async def test_a_dead_letter_can_be_seen_mended_and_replayed(system: System) -> None:
    await system.publish_raw(corrections("late")[0])
    letter = await system.dead_letter()

    shown = await system.archon("dlq", "show", letter["id"])
    await system.gateway.post("/v1/agents", agent("late", system.base_model, steps=30))
    await system.archon("dlq", "replay", letter["id"])

    assert "late" in shown["reason"]
    assert json.loads(shown["body"])["interaction_id"] == "late-0"
    await eventually(lambda: system.stored("late", 1), timeout=60)


async def test_who_deployed_rolled_back_and_changed_a_policy_is_on_record(system: System) -> None:
    await system.deploy_first_version("audited")
    profile = agent("audited", system.base_model, steps=30)
    profile |= {"priority": 3, "reason": "it is urgent"}
    await system.gateway.post("/v1/agents", profile)
    await system.correct("audited")
    job = await system.completed(await system.retrain_of("audited"))
    await system.gateway.post("/v1/agents/audited/rollback", {"reason": "odd answers"})

    trail = await system.recorded("audited", "rolled_back")

    key = trail["policy_changed"]["actor"]
    assert key.startswith("bootstrap (key ")
    assert trail["policy_changed"]["reason"] == "it is urgent"
    assert [c["field"] for c in trail["policy_changed"]["changes"]] == ["priority"]
    assert trail["deployed"]["actor"] == f"system (job {job['job_id']}, trigger count)"
    assert (trail["rolled_back"]["actor"], trail["rolled_back"]["reason"]) == (key, "odd answers")
    assert all(chain["ok"] for chain in await system.archon("audit", "verify"))
    reports = await compare_tables(system.runtime.endpoints.database_url)
    assert [report.problem for report in reports if not report.ok] == []


async def test_the_command_shows_jobs_versions_and_their_trace(system: System) -> None:
    await system.deploy_first_version("shown")
    (job,) = await system.archon("jobs", "list", "--agent", "shown")

    shown = {
        "status": await system.archon_output("status"),
        "job": await system.archon_output("jobs", "show", job["job_id"]),
        "watch": await system.archon_output("jobs", "watch", job["job_id"]),
        "models": await system.archon_output("models", "list", "shown"),
        "model": await system.archon_output("models", "show", "shown", "1.0.0"),
        "trace": await system.archon_output("trace", job["job_id"]),
    }

    assert "slots busy" in shown["status"]
    assert "rolling_out" in shown["job"]
    assert "completed" in shown["watch"]
    assert "1.0.0" in shown["models"]
    assert job["job_id"] in shown["model"]
    assert "stage training" in shown["trace"]


async def audit(system: System, agent_id: str, sent: list[str]) -> FeedbackAudit:
    return await audit_feedback(system.runtime.endpoints.database_url, agent_id, sent)


async def whole_trace(system: System, job_id: str) -> dict[str, Any]:
    trace: dict[str, Any] = {}

    async def whole() -> None:
        trace.update(await system.gateway.get(f"/v1/jobs/{job_id}/trace"))
        missing = SERVICES - set(trace["services"])
        assert (trace["orphans"], missing) == ([], set())

    await eventually(whole, timeout=60)
    return trace


def _holds_torch(pid: int) -> bool:
    return any("torch" in region.path for region in psutil.Process(pid).memory_maps())
