"""Changing a policy from a page: first it is shown, and a stale form changes nothing."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from archon_contracts.events import AgentConfigured
from archon_contracts.topics import COORDINATOR_COMMANDS
from archon_contracts.values import AgentProfile, TriggerPolicy
from tests.support.eventually import eventually
from tests.support.gateway.dashboard import PageReader, browser_of, sign_in
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(gateway: ServedGateway) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is signed in with every scope."""
    async with browser_of(gateway) as client:
        await sign_in(client)
        yield client


async def form_of(browser: httpx.AsyncClient, place: str) -> dict[str, str]:
    """The fields of a form as they stand in the page."""
    page = PageReader((await browser.get(place)).text)
    fields = {e["name"]: e.get("value", "") for t, e in page.elements if t == "input"}
    return {"enabled": "yes"} | fields


async def test_a_change_is_shown_with_what_would_have_fired_and_then_sent_once(
    gateway: ServedGateway, browser: httpx.AsyncClient, name: str
) -> None:
    place = f"/agents/{await gateway.configure_agent(name)}/policies/trigger"
    typed = await form_of(browser, place) | {"minimum_feedback": "412"}

    shown = await browser.post(place, data=typed)
    fields = {e["name"]: e["value"] for t, e in PageReader(shown.text).elements if t == "input"}
    nameless = await browser.post(place, data=fields)
    sent = [await browser.post(place, data=fields | {"reason": "less noise"}) for _ in range(2)]

    assert shown.status_code == 200
    assert "nothing would have fired" in shown.text
    assert "<td><bdi>200</bdi></td><td><strong><bdi>412</bdi>" in shown.text
    assert nameless.status_code == 422
    assert {each.headers["location"] for each in sent} == {f"/agents/{name}?accepted=policy"}
    (record,) = await gateway.records(COORDINATOR_COMMANDS, b"less noise")
    assert b'"minimum_feedback":412' in (record.value or b"").replace(b" ", b"")


async def test_what_breaks_a_rule_is_refused_beside_its_field(
    gateway: ServedGateway, browser: httpx.AsyncClient, name: str
) -> None:
    place = f"/agents/{await gateway.configure_agent(name)}/policies/trigger"
    typed = await form_of(browser, place) | {"confirm": "yes", "reason": "x"}

    refused = await browser.post(place, data=typed | {"minimum_feedback": "<b>many</b>"})
    underscored = await browser.post(place, data=typed | {"minimum_feedback": "1_0"})

    assert refused.status_code == 422
    assert "valid integer" in refused.text
    assert "&lt;b&gt;many" in refused.text
    assert underscored.status_code == 422


async def test_a_form_that_is_older_than_the_profile_changes_nothing(
    gateway: ServedGateway, browser: httpx.AsyncClient, name: str
) -> None:
    place = f"/agents/{await gateway.configure_agent(name)}/policies/trigger"
    typed = await form_of(browser, place) | {"minimum_feedback": "412"}
    trigger = TriggerPolicy(minimum_feedback=7)
    profile = AgentProfile(agent_id=name, kind="selector", base_model="pypi:m", trigger=trigger)
    await gateway.publish(AgentConfigured(agent_id=name, profile=profile))

    async def is_changed() -> bool:
        found = await gateway.get(f"/v1/agents/{name}")
        return bool(found["profile"]["trigger"]["minimum_feedback"] == 7)

    await eventually(is_changed)
    refused = await browser.post(place, data=typed | {"confirm": "yes", "reason": "stale form"})

    assert refused.status_code == 409
    assert "Somebody else changed this agent" in refused.text
    assert await gateway.records(COORDINATOR_COMMANDS, b"stale form") == []


async def test_a_training_and_a_generation_begin_from_their_pages(
    gateway: ServedGateway, browser: httpx.AsyncClient, name: str
) -> None:
    await gateway.configure_agent(name)

    trained = await browser.post(
        f"/agents/{name}/train", data={"method": "continual", "dataset": "", "request_id": "t1"}
    )
    generated = await browser.post(
        f"/agents/{name}/generate",
        data={"scenario_type": "tool-use", "count": "900", "diversity": "0.5", "preview": "yes"},
    )
    refused = await browser.post(
        f"/agents/{name}/generate", data={"scenario_type": "s", "count": "many", "diversity": "2"}
    )

    job = UUID(trained.headers["location"].removeprefix("/jobs/"))
    assert (await gateway.get(f"/v1/jobs/{job}"))["state"] == "requested"
    waiting = await browser.get(generated.headers["location"])
    assert "12 items, medium" in waiting.text
    assert "they are being made" in waiting.text
    assert refused.status_code == 422
    assert "diversity" in refused.text
