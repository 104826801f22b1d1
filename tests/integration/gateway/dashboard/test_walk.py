"""A user's way through the pages in a real browser, from sign-in to sign-out.

The other services are their events: what a page shows must follow them without being loaded again.
Pictures of each step are in var/screens.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.base import Contract
from archon_contracts.events import (
    AgentConfigured,
    FeedbackCounted,
    FeedbackCounts,
    JobState,
    JobStateChanged,
    ModelRolledBack,
)
from archon_contracts.identifiers import new_id
from archon_contracts.topics import JOBS, REGISTRY_COMMANDS
from archon_contracts.values import AgentProfile, ModelRef, TriggerPolicy
from services.gateway.dead_letters.store import DeadLetterStore
from tests.faults.brokers.proxy import Mode, Proxy
from tests.support.browser import ABSENT, CHROMIUM, BrowserPage, open_page
from tests.support.eventually import eventually
from tests.support.gateway.dashboard import (
    PLAIN,
    WEIGHTS,
    events_of_retrain,
    letter_of,
    store_first_version,
)
from tests.support.gateway.gateway import KEY, ServedGateway
from tests.support.sources import ROOT

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=ABSENT),
    pytest.mark.timeout(120),
]

AGENT = "walker"
SCREENS = ROOT / "var" / "screens"
SHOWN_SECONDS = 15
SIGN_IN = "document.getElementById('key').value = '{}'; document.querySelector('form').submit()"
CLICK = "document.querySelector({!r}).click()"
LOST = "String(!document.getElementById('connection').hidden)"
EXPECTED = re.compile(r"status of 401")
"""What the console holds of the session that the test ended."""
FIGURES = SCREENS / "walk.json"
ARRIVED = "Math.round(performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd)"
"""From the key, by the choice and its redirect, until the next item is there [ms]."""
STAGE = "document.querySelector('.stages [aria-current]')?.innerText ?? ''"


class Walk:
    """A tab, the gateway that it looks at, and pictures of each step."""

    def __init__(self, page: BrowserPage, gateway: ServedGateway) -> None:
        self.page = page
        self.gateway = gateway
        self.base = str(gateway.http.base_url).rstrip("/")

    async def step(self, name: str) -> None:
        """Take a picture of what is shown now."""
        await self.page.picture(SCREENS / f"walk-{name}.png")

    async def shows(self, *texts: str, script: str = "document.body.innerText") -> None:
        """Wait until the open page shows the texts, without being loaded again."""

        async def is_shown() -> None:
            found = await self.page.run(script)
            assert [text for text in texts if text not in found] == []

        await eventually(is_shown, timeout=SHOWN_SECONDS)

    async def click(self, selector: str) -> None:
        """Click what leads to another page."""
        await self.page.submit(CLICK.format(selector))


async def test_a_user_walks_from_sign_in_to_sign_out(
    gateway: ServedGateway, tmp_path: Path
) -> None:
    async with open_page(tmp_path) as page:
        walk = Walk(page, gateway)
        await page.view(1280, "light")
        await sign_in(walk)
        await watch_a_retrain(walk)
        await roll_back(walk)
        await review_ten_items(walk)
        await replay_a_dead_letter(walk)
        await let_the_session_expire(walk)
        await use_two_tabs(walk)
        await walk.click(".who button")
        assert await page.run("location.pathname") == "/sign-in"
        complaints = [each for each in page.complaints if not EXPECTED.search(each)]
        requested = {each for each in page.requested if not each.startswith((walk.base, "about:"))}

    assert complaints == []
    assert requested == set()


@pytest.mark.parametrize("fault", [Mode.REFUSE, Mode.HANG])
async def test_a_page_says_that_its_connection_is_lost_and_goes_on(
    gateway: ServedGateway, tmp_path: Path, fault: Mode
) -> None:
    proxy = Proxy("127.0.0.1", gateway.http.base_url.port or 80)
    async with proxy.serving(), open_page(tmp_path) as page:
        walk = Walk(page, gateway)
        walk.base = f"http://{proxy.address}"
        await sign_in(walk)
        await page.go(f"{walk.base}/")
        await page.run("window.sameDocument = true")
        # 40 s of silence are normal; nobody waits for them here.
        await page.run("document.getElementById('refresh').dataset.silence = 2")
        await gateway.publish(*feedback_of(17))
        await walk.shows("17 of 602")

        proxy.set_mode(fault)
        await walk.shows("true", script=LOST)
        await gateway.publish(*feedback_of(29))
        proxy.set_mode(Mode.PASS)

        await walk.shows("29 of 602")
        await walk.shows("false", script=LOST)
        assert await page.run("window.sameDocument") is True


async def sign_in(walk: Walk) -> None:
    """A page that asks who is there leads back to itself."""
    await walk.page.go(f"{walk.base}/jobs?state=training")
    await walk.page.submit(SIGN_IN.format(KEY))
    assert await walk.page.run("location.pathname + location.search") == "/jobs?state=training"


async def watch_a_retrain(walk: Walk) -> None:
    """From the feedback that is missing to the deployment, each part as it happens."""
    gateway, job_id = walk.gateway, new_id()
    await walk.page.go(f"{walk.base}/")
    await walk.page.run("window.sameDocument = true")
    await gateway.publish(*feedback_of(412))
    await walk.shows("412 of 602")
    await walk.step("1-feedback")
    await store_first_version(gateway, AGENT, deployed=True)

    events = events_of_retrain(AGENT, job_id, PLAIN)[1:]  # its profile is there already
    states = [each for each in events if isinstance(each, JobStateChanged)]
    await gateway.publish(*of(events, "RetrainTriggered"), states[0])
    await walk.shows(str(job_id)[-8:])
    assert await walk.page.run("window.sameDocument") is True
    await walk.click(f"a[href='/jobs/{job_id}']")
    await walk.page.run("window.sameDocument = true")
    for event in states[1:]:
        if event.to_state == JobState.EVALUATING:
            await gateway.publish(*of(events, "TrainingStarted"), *of(events, "MetricsRecorded"))
            await walk.shows("train/loss", "step 60 of 60")
            await walk.step("2-training")
        if event.to_state == JobState.REGISTERING:
            await gateway.publish(*of(events, "EvaluationCompleted"))
        await gateway.publish(event)
        if not event.to_state.is_final:
            await walk.shows(event.to_state.value.replace("_", " "), script=STAGE)
    await gateway.publish(*of(events, "DatasetPrepared", "ModelRegistered", "JobCompleted"))
    await gateway.publish(*of(events, "ModelDeployed"))
    await walk.shows("The candidate passed", "accuracy rises by 9.0 points", "1.1.0")
    assert await walk.page.run("window.sameDocument") is True
    await walk.step("3-deployed")


async def roll_back(walk: Walk) -> None:
    """A confirmation says what will happen, and the timeline follows what happened."""
    await walk.page.go(f"{walk.base}/agents/{AGENT}")
    await walk.shows("deployed 1.1.0")
    await walk.click(f"a[href='/agents/{AGENT}/rollback']")
    assert "in place of 1.1.0" in await walk.page.text()
    await walk.page.submit(
        "document.getElementById('reason').value = 'worse on refunds';"
        "document.querySelector('.narrow form').requestSubmit()"
    )
    assert "The rollback is on its way" in await walk.page.text()
    assert len(await walk.gateway.records(REGISTRY_COMMANDS, b"worse on refunds")) == 1
    await walk.gateway.publish(
        ModelRolledBack(
            agent_id=AGENT,
            model=ModelRef(version="1.0.0", artifact=WEIGHTS),
            from_version="1.1.0",
            revision=3,
            actor="somebody",
            reason="worse on refunds",
            rolled_back_at=datetime.now(UTC),
        )
    )
    await walk.shows("rolled back to 1.0.0", "worse on refunds")
    await walk.step("4-rolled-back")


async def review_ten_items(walk: Walk) -> None:
    """Ten items by ten keys, without the mouse."""
    items = [{"request": f"question {n}", "answers": [f"answer {n}"]} for n in range(10)]
    body = {"kind": "rubric", "rubric": "Is it right?", "items": items}
    place = f"/v1/agents/{AGENT}/reviews"
    assert (await walk.gateway.http.post(place, json=body)).status_code == 201
    await walk.page.go(f"{walk.base}/agents/{AGENT}/review")
    await walk.step("5-review")
    arrived = []
    for number in range(10):
        assert f"question {number}" in await walk.page.text()
        await walk.page.press("4")
        arrived.append(await walk.page.run(ARRIVED))
    assert "Nothing is left" in await walk.page.text()
    found = await walk.gateway.get(place)
    assert [each["choice"] for each in found["reviews"]] == ["4"] * 10
    figures = {"next_item_ms": {"median": sorted(arrived)[5], "most": max(arrived)}}
    await asyncio.to_thread(FIGURES.write_text, json.dumps(figures) + "\n")


async def replay_a_dead_letter(walk: Walk) -> None:
    """Its bytes are shown, and go to their topic again."""
    marker = b'{"walked": true}'
    async with walk.gateway.application.service_context.database.across_tenants() as tx:
        await DeadLetterStore().add(tx, letter_of(77, marker))
    await walk.page.go(f"{walk.base}/operations/dead-letters")
    await walk.click("main table a")
    assert '"walked": true' in await walk.page.text()
    await walk.click("main form button.danger")
    assert "sent to its topic again" in await walk.page.text()
    await walk.step("6-replayed")

    async def is_sent() -> None:
        assert len(await walk.gateway.records(JOBS, marker)) == 1

    await eventually(is_sent, timeout=SHOWN_SECONDS)


async def let_the_session_expire(walk: Walk) -> None:
    """Whoever signs in again is where they were."""
    place = f"/experiments?agent_id={AGENT}"
    await walk.page.go(f"{walk.base}{place}")
    await walk.page.call("Network.clearBrowserCookies")  # as the browser does when its time is over
    await walk.page.submit("location.reload()")
    assert await walk.page.run("location.pathname") == "/sign-in"
    await walk.page.submit(SIGN_IN.format(KEY))
    assert await walk.page.run("location.pathname + location.search") == place


async def use_two_tabs(walk: Walk) -> None:
    """Both have the same item; the second choice counts for nothing, and both go on."""
    items = [{"request": f"tabs {n}", "answers": ["a"]} for n in range(2)]
    place = f"/v1/agents/{AGENT}/reviews"
    body = {"kind": "rubric", "rubric": "Is it right?", "items": items}
    assert (await walk.gateway.http.post(place, json=body)).status_code == 201
    address = f"{walk.base}/agents/{AGENT}/review"
    await walk.page.go(address)
    first = await walk.page.open_tab(address)
    assert "tabs 0" in await walk.page.text()
    await walk.page.press("5")
    second, walk.page.session = walk.page.session, first
    assert "tabs 0" in await walk.page.text()
    await walk.page.press("1")
    assert "another tab had reviewed that item" in await walk.page.text()
    assert "tabs 1" in await walk.page.text()
    await walk.step("7-two-tabs")
    walk.page.session = second
    await walk.page.press("5")
    found = await walk.gateway.get(place)
    assert [each["choice"] for each in found["reviews"]][:2] == ["5", "5"]


def feedback_of(unused: int) -> list[Contract]:
    """An agent whose trigger fires at 602 events, and how many of them it has."""
    now = datetime.now(UTC)
    profile = AgentProfile(
        agent_id=AGENT,
        kind="classifier",
        base_model="pypi:m",
        trigger=TriggerPolicy(minimum_feedback=602),
    )
    counts = FeedbackCounts(
        hour=now.replace(minute=0, second=0, microsecond=0), feedback=unused, corrected=200
    )
    return [
        AgentConfigured(agent_id=AGENT, profile=profile),
        FeedbackCounted(agent_id=AGENT, counts=(counts,), unused=unused, unused_at=now),
    ]


def of(events: Sequence[Contract], *names: str) -> list[Any]:
    """The events of these types, in order."""
    return [each for each in events if type(each).__name__ in names]
