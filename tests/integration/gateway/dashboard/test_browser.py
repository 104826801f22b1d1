"""A real browser looks at every page: wide and narrow, light and dark.

The pictures are in var/screens, for somebody to look at; figures.json there has first paint, bytes
and requests of each page with an empty cache, and how long a new event takes to be shown.
"""

import asyncio
import json
import time
from pathlib import Path

import pytest

from archon_contracts.events import AgentConfigured
from archon_contracts.values import AgentProfile
from tests.support.browser import ABSENT, CHROMIUM, BrowserPage, open_page
from tests.support.eventually import eventually
from tests.support.gateway.dashboard import HOSTILE, TRACE, store_first_version, store_retrain
from tests.support.gateway.gateway import KEY, ServedGateway
from tests.support.gateway.two_tenants import spans
from tests.support.sources import ROOT

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=ABSENT),
    pytest.mark.timeout(240),
]

SCREENS = ROOT / "var" / "screens"
FIGURES = SCREENS / "figures.json"
MAX_PAGE_BYTES = 300_000
VIEWS = ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark"))
SIGN_IN = "document.getElementById('key').value = '{}'; document.querySelector('form').submit()"
REDRAWN = "new Promise((done) => setTimeout(done, 250))"
"""Longer than pages wait until they draw their charts anew."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
AXE = ROOT / "tests/support/axe/node_modules/axe-core/axe.min.js"
RUN_AXE = """
axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }).then((found) =>
  found.violations.map((each) => each.id + ": " + each.nodes.map((n) => n.target).slice(0, 3)))
"""
PAGES = {
    "overview": "/",
    "jobs": "/jobs",
    "job": "/jobs/{job}",
    "experiments": "/experiments",
    "experiment": "/experiments/{job}",
    "agent": "/agents/helpdesk",
    "hostile": "/jobs/{hostile}",
    "rollback": "/agents/helpdesk/rollback",
    "data": "/data",
    "handbook": "/handbook/training-failures",
    "compare": "/compare?agent_id=helpdesk&version=1.1.0&version=1.0.0",
    "answers": "/jobs/{job}/answers",
    "prepared": "/data/prepared/{dataset}?against={first}",
    "feedback": "/agents/helpdesk/feedback",
    "policies": "/agents/helpdesk/policies/trigger",
    "train": "/agents/helpdesk/train",
    "generate": "/agents/helpdesk/generate",
    "audit": "/operations/audit",
    "keys": "/operations/keys",
    "letters": "/operations/dead-letters",
    "system": "/operations/system",
    "topics": "/operations/topics",
    "settings": "/operations/settings",
    "costs": "/operations/costs",
    "lineage": "/agents/helpdesk/versions/1.1.0/lineage",
    "not-found": "/agents/nobody",
}


async def test_every_page_fits_and_complains_of_nothing(
    gateway: ServedGateway, tmp_path: Path
) -> None:
    await gateway.http.post("/v1/traces", **spans(TRACE, "train"))
    names = {
        "job": await store_retrain(gateway, "helpdesk"),
        "hostile": await store_retrain(gateway, "hostile", HOSTILE),
    }
    dataset = (await gateway.get(f"/v1/jobs/{names['job']}"))["dataset"]["dataset_id"]
    _, first = await store_first_version(gateway, "helpdesk")
    names |= {"dataset": dataset, "first": first}
    base = str(gateway.http.base_url).rstrip("/")
    places = {name: f"{base}{place.format(**names)}" for name, place in PAGES.items()}
    async with open_page(tmp_path) as page:
        await page.view(1280, "light")
        await page.go(f"{base}/jobs")
        await page.picture(SCREENS / "sign-in-1280-light.png")
        await page.submit(SIGN_IN.format(KEY))
        assert await page.run("location.pathname") == "/jobs"
        figures = {name: await page.measure(place) for name, place in places.items()}
        faults = [await look(page, place, name) for name, place in places.items()]
        complaints = [each for each in page.complaints if "404" not in each]
        figures["new event"] = {"shown_after_ms": await see_an_event(gateway, page, base)}
        requested = {each for each in page.requested if not each.startswith((base, "about:"))}
        await page.submit("document.querySelector('.who').submit()")
        assert await page.run("location.pathname") == "/sign-in"
    await asyncio.to_thread(FIGURES.write_text, json.dumps(figures, indent=1) + "\n")

    assert [each for each in faults if each] == []
    assert complaints == []
    assert requested == set()
    assert max(each.get("bytes", 0) for each in figures.values()) < MAX_PAGE_BYTES


async def look(page: BrowserPage, address: str, name: str) -> dict[str, object]:
    """Take the pictures of a page; returns where it is wider than the window, and what axe finds.

    axe-core checks the rules of WCAG 2.1 A and AA that a program can check, contrast among them.
    """
    faults: dict[str, object] = {}
    await page.go(address)
    if AXE.is_file():
        await page.run(AXE.read_text() + "; null")
    for width, scheme in VIEWS:
        await page.view(width, scheme)
        await page.run(REDRAWN)
        if over := await page.run(OVERFLOW):
            faults[f"{name} is wider at {width}"] = over
        if AXE.is_file() and (violations := await page.run(RUN_AXE)):
            faults[f"{name} at {width} {scheme}"] = violations
        await page.picture(SCREENS / f"{name}-{width}-{scheme}.png")
    return faults


async def test_axe_is_here_to_look_at_pages() -> None:
    if not AXE.is_file():
        pytest.skip("no axe-core: run `npm ci` in tests/support/axe; pages are not checked by it")
    assert "4.14.1" in AXE.read_text()[:200]


async def see_an_event(gateway: ServedGateway, page: BrowserPage, base: str) -> int:
    """How long until an open overview shows a new agent, without being loaded again [ms]."""
    await page.go(f"{base}/")
    await page.run("window.sameDocument = true")
    profile = AgentProfile(agent_id="newcomer", kind="selector", base_model="pypi:m")
    await gateway.publish(AgentConfigured(agent_id="newcomer", profile=profile))
    began = time.monotonic()

    async def is_shown() -> None:
        assert "newcomer" in await page.run("document.getElementById('main').innerText")

    await eventually(is_shown, timeout=5)
    assert await page.run("window.sameDocument") is True
    return round(1000 * (time.monotonic() - began))
