"""The Python SDK on a served gateway: what each call says is what the gateway does."""

import asyncio
from uuid import UUID

import pytest

from archon_contracts.client import Archon, AsyncArchon, current_interaction, use_unit
from archon_contracts.client.errors import (
    GatewayRefusedError,
    JobUnsuccessfulError,
    WaitTimeoutError,
)
from archon_contracts.events import FeedbackReceived, JobState
from archon_contracts.identifiers import new_id
from archon_contracts.topics import FEEDBACK
from tests.support.eventually import eventually
from tests.support.gateway.events import changed, deployed, is_answered
from tests.support.gateway.gateway import KEY, ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


def client_of(gateway: ServedGateway) -> AsyncArchon:
    return AsyncArchon(str(gateway.http.base_url), KEY)


async def test_a_training_is_started_followed_and_cancelled(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    async with client_of(gateway) as archon:
        await archon.datasets.upload(f"{agent}-v1", [{"input": "q", "target": "a"}])
        job = await archon.train_agent(
            agent, method="supervised", dataset=f"{agent}-v1", epochs=10, batch_size=32
        )
        found = await job.refresh()
        (listed,) = await archon.jobs.list(agent_id=agent)

        with pytest.raises(WaitTimeoutError, match="cancel it"):
            await job.wait(timeout_seconds=0.1)
        await job.cancel(reason="a test")

    assert found.config["epochs"] == 10
    assert (found.method, found.dataset_name) == ("supervised", f"{agent}-v1")
    assert listed.job_id == job.job_id


async def test_waiting_shows_each_state_and_says_why_a_job_failed(
    gateway: ServedGateway, name: str
) -> None:
    agent, job_id = await gateway.configure_agent(name), new_id()
    await gateway.publish(changed(job_id, agent, JobState.QUEUED, 0))
    states: list[str] = []
    async with client_of(gateway) as archon:

        async def fail() -> None:
            await eventually(lambda: bool(states))
            await gateway.publish(changed(job_id, agent, JobState.FAILED, 1))

        async def wait() -> None:
            await eventually(lambda: is_answered(gateway, f"/v1/jobs/{job_id}"))
            await archon.jobs.wait(
                job_id, progress=lambda job: states.append(job.state), timeout_seconds=20
            )

        with pytest.raises(JobUnsuccessfulError) as caught:
            await asyncio.gather(wait(), fail())

    assert (states[0], states[-1]) == ("queued", "failed")
    assert (caught.value.job_id, caught.value.state) == (str(job_id), "failed")


async def test_a_refusal_names_the_field(gateway: ServedGateway, name: str) -> None:
    agent = await gateway.configure_agent(name)
    async with client_of(gateway) as archon:
        with pytest.raises(GatewayRefusedError, match=r"config\.batchSize") as wrong:
            await archon.train_agent(agent, method="supervised", config={"batch_size": 5000})
        with pytest.raises(GatewayRefusedError) as missing:
            await archon.models.get(agent, "9.9.9")

    assert (wrong.value.status, wrong.value.field) == (422, "config.batchSize")
    assert wrong.value.errors[0].rule == "less_than_equal"
    assert missing.value.status == 404


async def test_versions_are_deployed_and_rolled_back(gateway: ServedGateway, name: str) -> None:
    agent = await gateway.configure_agent(name)
    await gateway.publish(deployed(agent, "1.0.0"), deployed(agent, "1.1.0"))
    async with client_of(gateway) as archon:
        await eventually(lambda: is_answered(gateway, f"/v1/agents/{agent}/models/1.1.0"))
        current = await archon.models.deployed(agent)
        versions = {each.version for each in await archon.models.list(agent)}
        await archon.models.deploy(agent, "1.0.0", reason="better on Mondays")
        await archon.models.roll_back(agent, reason="and worse on Tuesdays")
        with pytest.raises(GatewayRefusedError, match="reason"):
            await archon.models.roll_back(agent, reason="")

    assert versions == {"1.0.0", current.version} == {"1.0.0", "1.1.0"}


async def test_the_synchronous_client_does_the_same(gateway: ServedGateway, name: str) -> None:
    agent = await gateway.configure_agent(name)

    def use() -> tuple[str, int, str]:
        with Archon(str(gateway.http.base_url), KEY) as archon:
            synthetic = archon.generate_synthetic_training_data(
                "customer-support", count=10, agent_id=agent, diversity=0.8
            )
            state = archon.synthetic(synthetic.request_id).state
            analysis = archon.analyze_agent_logs(agent, logs=[{"input": "q", "output": "a"}])
            return state, analysis.interactions, archon.agents.get(agent).agent_id

    assert await asyncio.to_thread(use) == ("requested", 1, agent)


async def test_events_come_as_they_happen(gateway: ServedGateway, name: str) -> None:
    agent = await gateway.configure_agent(name)
    async with client_of(gateway) as archon:
        events = archon.events(agent_id=agent, types=["ModelDeployed"])
        next_event = asyncio.ensure_future(anext(events))

        async def arrives() -> bool:
            await gateway.publish(deployed(agent, "1.0.0"))
            await asyncio.wait([next_event], timeout=0.2)
            return next_event.done()

        await eventually(arrives)
        event = await next_event
        await events.aclose()

    assert (event.type, event.data["model"]["version"]) == ("ModelDeployed", "1.0.0")
    assert UUID(event.id)


async def test_a_decorated_function_logs_its_answers_and_their_feedback(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)

    def use() -> str:
        with Archon(str(gateway.http.base_url), KEY) as archon:

            @archon.agent(agent)
            def answer(question: str) -> str:
                current_interaction().answered_by("1.4.0", digest="abc", propensity=0.5)
                return question.upper()

            with use_unit("user-7"):
                assert answer("hello") == "HELLO"
            return answer.feedback(rating=2, expected="Hello.")

    interaction = await asyncio.to_thread(use)
    records = await gateway.records(FEEDBACK, interaction.encode())

    # In any order: an interaction is sent by a thread beside.
    bodies = {dict(record.headers)["ce_type"].decode(): record.value for record in records}
    assert set(bodies) == {"archon.FeedbackReceived.v1", "archon.InteractionLogged.v1"}
    feedback = FeedbackReceived.model_validate_json(bodies["archon.FeedbackReceived.v1"])
    assert (feedback.input, feedback.actual, feedback.expected) == ("hello", "HELLO", "Hello.")
    assert (feedback.model_version, feedback.model_digest) == ("1.4.0", "abc")
    assert (feedback.unit_id, feedback.propensity) == ("user-7", 0.5)
