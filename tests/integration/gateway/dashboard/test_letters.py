"""Dead letters: listed, shown with whatever bytes they hold, and replayed once per form."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from archon_contracts.topics import JOBS
from services.gateway.dead_letters.store import DeadLetterStore
from tests.support.eventually import eventually
from tests.support.gateway.dashboard import HOSTILE, PageReader, browser_of, letter_of, sign_in
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLACE = "/operations/dead-letters"
TEXT, BYTES = f'{{"label": "{HOSTILE}"}}'.encode(), b"\xff\x00not text"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(gateway: ServedGateway) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is signed in, and two dead letters: one of text and one of bytes."""
    async with gateway.application.service_context.database.across_tenants() as tx:
        for number, body in enumerate((TEXT, BYTES)):
            await DeadLetterStore().add(tx, letter_of(number, body))
    async with browser_of(gateway) as client:
        await sign_in(client)
        yield client


async def test_dead_letters_are_listed_and_lead_to_their_bytes(browser: httpx.AsyncClient) -> None:
    page = await browser.get(PLACE)
    links = [each for each in PageReader(page.text).links() if "gateway%3A0%3A" in each]

    shown = [await browser.get(link) for link in links]

    assert len(links) == 2
    assert [each.status_code for each in shown] == [200, 200]
    assert {tag for each in shown for tag, _ in PageReader(each.text).elements}.isdisjoint({"img"})
    assert any("base64" in each.text for each in shown)
    assert (await browser.get(f"{PLACE}?service=trainer")).text.count("gateway%3A0%3A") == 0


async def test_a_replay_is_one_record_however_often_its_form_is_sent(
    gateway: ServedGateway, browser: httpx.AsyncClient
) -> None:
    place = f"{PLACE}/gateway%3A0%3A1"
    form = PageReader((await browser.get(place)).text)
    fields = {name: form.value_of(name) for name in ("request_id", "replays")}

    answers = [await browser.post(form.forms()[-1], data=fields) for _ in range(2)]

    assert [each.headers.get("location") for each in answers] == [f"{place}?accepted=replay", place]
    page = await browser.get(answers[0].headers["location"])
    assert "The record is sent to its topic again." in page.text

    async def is_replayed() -> None:
        assert len(await gateway.records(JOBS, BYTES)) == 1

    await eventually(is_replayed, timeout=10)
    found = await gateway.get("/v1/dead-letters/gateway:0:1")
    assert found["replays"] == 1
