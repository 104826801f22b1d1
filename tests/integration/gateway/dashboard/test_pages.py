"""Every page of the dashboard: what it shows, what it loads, and that text stays text."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.support.gateway.dashboard import (
    HOSTILE,
    PLAIN,
    TRACE,
    PageReader,
    browser_of,
    sign_in,
    store_first_version,
    store_retrain,
)
from tests.support.gateway.gateway import ServedGateway
from tests.support.gateway.two_tenants import spans
from tests.support.sources import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGENT, HOSTILE_AGENT = "helpdesk", "hostile"
MAX_PAGE_BYTES = 300_000
MAX_QUERIES = 12
QUERIES = ROOT / "var" / "screens" / "queries.json"
PAGES = (
    "/",
    "/jobs",
    "/jobs?state=completed",
    "/jobs/{job}",
    "/jobs/{job}/report",
    "/experiments",
    "/experiments?state=promoted",
    "/experiments/{job}",
    "/agents/{agent}",
    "/agents/{agent}/review",
    "/agents/{agent}/rollback",
    "/agents/{agent}/deploy/1.1.0",
    "/agents/{agent}/feedback",
    "/agents/{agent}/feedback?decision=quarantined",
    "/agents/{agent}/policies/trigger",
    "/agents/{agent}/policies/rollout",
    "/agents/{agent}/train",
    "/agents/{agent}/generate",
    "/jobs/{job}/answers",
    "/data/prepared/{dataset}",
    "/data/prepared/{dataset}?part=quarantined",
    "/data/prepared/{dataset}?against={first}",
    "/data/prepared/{dataset}/quality",
    "/data/uploaded/{agent}-suite",
    "/data",
    "/compare",
    "/handbook",
    "/handbook/api",
    "/handbook/training-failures",
    "/compare?agent_id={agent}&version=1.1.0",
    "/operations/audit",
    "/operations/keys",
    "/operations/dead-letters",
    "/operations/system",
    "/operations/topics",
    "/operations/costs",
    "/operations/costs?agent_id=&days=7",
    "/jobs?agent_id=&state=",
    "/operations/audit?agent_id=&action=",
    "/operations/settings",
    "/agents/{agent}/versions/1.1.0/lineage",
)
each_page = pytest.mark.parametrize("place", PAGES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def jobs(gateway: ServedGateway) -> dict[str, UUID]:
    """A retrain of an agent, and one whose every text is hostile."""
    assert (await gateway.http.post("/v1/traces", **spans(TRACE, HOSTILE))).status_code == 200
    found = {}
    for agent, text in ((AGENT, PLAIN), (HOSTILE_AGENT, HOSTILE)):
        found[agent] = await store_retrain(gateway, agent, text)
        job = await gateway.get(f"/v1/jobs/{found[agent]}")
        found[f"{agent} dataset"] = UUID(job["dataset"]["dataset_id"])
        _, found[f"{agent} first"] = await store_first_version(gateway, agent)
        items = [{"id": f"s{n}", "input": f"{n} {text}", "target": text} for n in range(30)]
        body = {"name": f"{agent}-suite", "purpose": "evaluation", "items": items}
        assert (await gateway.http.post("/v1/datasets", json=body)).status_code == 201
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(
    gateway: ServedGateway, jobs: dict[str, UUID]
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is signed in with every scope."""
    async with browser_of(gateway) as client:
        assert (await sign_in(client)).status_code == 303
        yield client


def fill(place: str, agent: str, names: dict[str, UUID]) -> str:
    """The address with the names in it."""
    return place.format(
        job=names[agent],
        agent=agent,
        dataset=names[f"{agent} dataset"],
        first=names[f"{agent} first"],
    )


async def test_docs_lead_to_the_reference_of_the_api(gateway: ServedGateway) -> None:
    found = await gateway.http.get("/docs")

    assert (found.status_code, found.headers["location"]) == (307, "/handbook/api")


@each_page
async def test_a_page_loads_only_assets_of_this_site_and_weighs_little(
    browser: httpx.AsyncClient, jobs: dict[str, UUID], place: str
) -> None:
    page = await browser.get(fill(place, AGENT, jobs))

    assert page.status_code == 200, page.text
    loaded = PageReader(page.text).loaded
    assert all(re.fullmatch(r"/assets/[0-9a-f]{16}/[a-z.]+", each) for each in loaded)
    weights = [len((await browser.get(each)).content) for each in loaded]
    assert len(page.content) + sum(weights) < MAX_PAGE_BYTES
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert " style=" not in page.text
    assert "javascript:" not in page.text


@each_page
async def test_hostile_text_is_shown_as_text(
    browser: httpx.AsyncClient, jobs: dict[str, UUID], place: str
) -> None:
    page = await browser.get(fill(place, HOSTILE_AGENT, jobs))

    assert page.status_code == 200, page.text
    elements = PageReader(page.text).elements
    assert "img" not in {tag for tag, _ in elements}
    assert "b" not in {tag for tag, _ in elements}
    assert not any(name.startswith("on") for _, stated in elements for name in stated)
    scripts = [stated.get("src", "") for tag, stated in elements if tag == "script"]
    assert all(place.startswith("/assets/") for place in scripts)
    assert HOSTILE not in page.text  # it is there escaped, or the page does not show it


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("/", ("1.1.0", "84.0 %", "81.0 to 87.0 %", "4.10", "602", "341 corrections")),
        ("/", ("Last event", "ago</time>")),
        (
            "/agents/{agent}/versions/1.1.0/lineage",
            ("from 1.0.0", ">1.1.0<", 'class="arrow parent"'),
        ),
        ("/", ("82</span> of 200", "nearest to a retrain", "agents answer with a trained version")),
        ("/jobs/{job}", ("The candidate passed", "compared with version", "12 quarantined")),
        ("/jobs/{job}", ("rolling out", "train/loss", "602 events", "trigger: count")),
        ("/experiments", ("canary", "50.0 %", "100 scored answers", "+9.0")),
        (
            "/experiments/{job}",
            ("Evidence of harm", "the rates differ", "60.0 % to 80.0 %"),
        ),
        ("/agents/{agent}", ("▲ deployed", "in place of", "fires at 200 unused events")),
        ("/agents/{agent}", ("82</span> of 200", "until the next retrain")),
        ("/operations/settings", ("ARCHON_GATEWAY_PORT", "set, not shown")),
        ("/compare?agent_id={agent}&version=1.1.0", ("84.0 %", "1.0.0")),
        ("/operations/system", ("trainer-1", "1 of 2")),
        ("/operations/topics", ("archon.jobs.v1", "archon.gateway")),
        ("/operations/costs", ("Tenant", "0.2500", "50.0 %", "812 MB")),
        ("/data", ("600 of 640", "480")),
        ("/agents/{agent}", ("refund, version 1.1.0: 68.0 %", "refund, version 1.0.0: 53.0 %")),
        ("/compare?agent_id={agent}&version=1.1.0&version=1.0.0", ("dataset_id", "train/loss")),
        ("/jobs/{job}", ("not enough items", "Confusion matrix", "train/gradient_norm", "broken")),
        ("/jobs/{job}/answers", ("billing answered as delivery: 2 of", "surest of first")),
        ("/data/prepared/{dataset}", ("30 of 30 items", "case 3?", "user-0", "640")),
        ("/data/prepared/{dataset}?text=CASE+17", ("1 of 30 items",)),
        ("/data/prepared/{dataset}?part=quarantined", ("contradicted", "item-999")),
        (
            "/data/prepared/{dataset}?against={first}",
            ("10 items", "train to test", "evenness 0.95"),
        ),
        ("/data/uploaded/{agent}-suite", ("30 of 30 items", "1 to 25 are shown", "Next page")),
        ("/agents/{agent}", ("● intermediate", "71.0 %", "✓ mastered", "Next: ")),
        ("/agents/{agent}/feedback", ("82</strong> events", "82 events of the newest 2 datasets")),
        ("/agents/{agent}/feedback?decision=quarantined", ("2 events of", "! quarantined")),
        ("/agents/{agent}/feedback?text=CASE+49", ("1 events of", "kept for test")),
        ("/agents/{agent}/policies/gate", ("maximum p value", "0.05")),
        ("/agents/{agent}/train", ("all unused feedback (82 events)", "continual")),
    ],
)
async def test_a_page_shows_what_is_stored(
    browser: httpx.AsyncClient, jobs: dict[str, UUID], place: str, expected: tuple[str, ...]
) -> None:
    page = await browser.get(fill(place, AGENT, jobs))

    assert [text for text in expected if text not in page.text] == []


async def test_the_trace_and_the_curves_are_there_without_a_script(
    browser: httpx.AsyncClient, jobs: dict[str, UUID]
) -> None:
    page = (await browser.get(f"/jobs/{jobs[AGENT]}")).text

    elements = PageReader(page).elements
    assert sum(tag == "polyline" for tag, _ in elements) >= 3
    assert any(tag == "rect" and "width" in stated for tag, stated in elements)


async def test_pages_lead_only_to_pages_that_are_there(
    browser: httpx.AsyncClient, jobs: dict[str, UUID]
) -> None:
    seen: dict[str, int] = {}
    waiting = ["/"]
    while waiting and len(seen) < 60:
        place = waiting.pop()
        if place in seen:
            continue
        answer = await browser.get(place)
        seen[place] = answer.status_code
        waiting += [link for link in PageReader(answer.text).links() if link.startswith("/")]

    # The broker is shared by the run, and events of other tests name agents and jobs that no event
    # of theirs made known to this gateway.
    ours = {AGENT, HOSTILE_AGENT, *map(str, jobs.values())}
    lost = {place: status for place, status in seen.items() if status != 200}
    assert {p: s for p, s in lost.items() if s != 404 or not _is_of_others(p, ours)} == {}
    assert len([place for place, status in seen.items() if status == 200]) > 15


def _is_of_others(place: str, ours: set[str]) -> bool:
    """Whether it is an agent's or a job's page with a generated name that this file never used."""
    found = re.fullmatch(
        r"/(?:agents|jobs)/((?:agent-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", place
    )
    return found is not None and found[1] not in ours


async def test_what_is_not_there_is_a_page_for_a_browser_and_a_problem_for_a_program(
    gateway: ServedGateway, browser: httpx.AsyncClient
) -> None:
    shown = await browser.get("/agents/nobody")
    read = await gateway.http.get("/agents/nobody")

    assert (shown.status_code, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "no agent is named" in shown.text
    assert read.headers["content-type"] == "application/problem+json"


async def test_an_asset_is_kept_for_ever_and_an_old_address_is_not_found(
    browser: httpx.AsyncClient,
) -> None:
    page = await browser.get("/")
    (style, *_) = [each for each in PageReader(page.text).loaded if each.endswith(".css")]

    found = await browser.get(style)
    old = await browser.get("/assets/0123456789abcdef/app.css")

    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert found.headers["content-encoding"] == "gzip"
    assert page.headers["cache-control"] == "no-store"
    assert old.status_code == 404


async def test_a_page_asks_the_database_a_bounded_number_of_questions(
    browser: httpx.AsyncClient, jobs: dict[str, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    prepare = asyncpg.connection.Connection._get_statement

    async def count(connection: asyncpg.Connection, query: str, *args: Any, **named: Any) -> Any:
        asked.append(query)
        return await prepare(connection, query, *args, **named)

    monkeypatch.setattr(asyncpg.connection.Connection, "_get_statement", count)
    found: dict[str, int] = {}
    for place in PAGES:
        counts = []
        # What the process asks meanwhile by itself is in some of the three, and not in all.
        for _ in range(3):
            asked.clear()
            await browser.get(fill(place, AGENT, jobs))
            counts.append(len(asked))
        found[place] = min(counts)
    await asyncio.to_thread(write_figures, found)

    assert found["/"] > 1  # they are counted
    assert max(found.values()) <= MAX_QUERIES, found


def write_figures(found: dict[str, int]) -> None:
    """For the dashboard's README."""
    QUERIES.parent.mkdir(parents=True, exist_ok=True)
    QUERIES.write_text(json.dumps(found, indent=1) + "\n")
