"""What a browser is shown when a page cannot be: without services, by the real application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from archon_contracts.identifiers import new_id
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.auth.sessions import COOKIE
from services.gateway.dashboard.site import add_dashboard
from services.gateway.errors import NotAuthenticated, RateLimited
from services.gateway.load.load_shedding import Backpressure, InFlightLimit
from services.gateway.load.outbox_backlog import OutboxBacklog
from services.gateway.routes import build_http
from services.gateway.routes.dependencies import GatewayApi
from shared.errors import DatabaseUnavailable
from tests.support.gateway.unpolled_monitor import build_unpolled_monitor

HTML = {"Accept": "text/html", "Cookie": f"{COOKIE}=session_x", "Sec-Fetch-Site": "same-origin"}
READER = Caller("default", "<b>somebody</b>", frozenset({Scope.READ, Scope.WRITE}), new_id())


class Admits:
    """Answers every key with a caller, or with an error."""

    def __init__(self, answer: Caller | Exception) -> None:
        self.answer = answer
        self.keys: list[str | None] = []

    async def admit(self, *, key: str | None, **_: object) -> Caller:
        self.keys.append(key)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    authenticate = admit


class NoTransactions:
    """Transactions of a database that is not there."""

    @asynccontextmanager
    async def begin_read(self, _tenant_id: str) -> AsyncIterator[None]:
        raise DatabaseUnavailable("the database is away <i>now</i>")
        yield

    begin_write = begin_read


def client_of(admission: Admits) -> httpx.AsyncClient:
    """A browser at an application without a database whose outbox is full."""
    parts: dict[str, Any] = dict.fromkeys(each.name for each in fields(GatewayApi))
    free = InFlightLimit("any", 0, "any")
    monitor = build_unpolled_monitor(backlog_limit=0)
    monitor.evaluate(OutboxBacklog(age_seconds=42, backlog=1))
    ours = {
        "settings": SimpleNamespace(gateway_body_limit_bytes=9_000, gateway_body_timeout_seconds=5),
        "admission": admission,
        "backpressure": Backpressure(monitor, free, free, free),
        "transactions": NoTransactions(),
        "clock": SimpleNamespace(now=lambda: None),
    }
    api = GatewayApi(**(parts | ours))
    app = build_http(api)
    add_dashboard(app, api)
    return httpx.AsyncClient(
        base_url="http://gateway", transport=httpx.ASGITransport(app), headers=HTML
    )


@pytest.mark.parametrize(
    ("answer", "method", "place", "status", "text"),
    [
        (READER, "GET", "/jobs", 503, "the database is away &lt;i&gt;now"),
        (READER, "GET", "/jobs?state=nonsense", 422, "query.state"),
        (READER, "GET", "/jobs/not-an-id", 422, "path.job_id"),
        (READER, "GET", "/nowhere", 404, "Not Found"),
        (READER, "PUT", "/jobs", 405, "Method Not Allowed"),
        (READER, "POST", "/agents/a/rollback", 429, "outbox_age_seconds"),
        (RateLimited("requests_per_second", "too many", 3), "GET", "/", 429, "too many"),
    ],
)
async def test_a_refusal_is_a_page_with_its_reason(
    answer: Caller | Exception, method: str, place: str, status: int, text: str
) -> None:
    async with client_of(Admits(answer)) as browser:
        page = await browser.request(method, place)

    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert text in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


async def test_the_time_to_wait_is_kept() -> None:
    async with client_of(Admits(RateLimited("requests_per_second", "too many", 3))) as browser:
        page = await browser.get("/")

    assert page.headers["retry-after"] == "3"


async def test_an_expired_session_returns_to_the_page_that_a_form_was_sent_from() -> None:
    headers = {"Referer": "http://gateway/agents/a/rollback?to_version=1.0.0"}
    async with client_of(Admits(NotAuthenticated("expired"))) as browser:
        page = await browser.get("/agents/a?limit=5")
        form = await browser.post("/agents/a/rollback", headers=headers)
        partial = await browser.get("/jobs", headers={"HX-Request": "true"})

    assert page.headers["location"] == "/sign-in?next=%2Fagents%2Fa%3Flimit%3D5"
    assert form.headers["location"] == "/sign-in?next=%2Fagents%2Fa%2Frollback"
    assert (partial.status_code, partial.headers["hx-redirect"]) == (401, "/sign-in?next=%2Fjobs")


async def test_a_cookie_takes_the_place_of_a_header_for_pages_and_of_nothing_in_the_api() -> None:
    admission = Admits(READER)
    async with client_of(admission) as browser:
        await browser.get("/jobs", headers={"Authorization": "Bearer another"})
        await browser.get("/v1/jobs")

    assert admission.keys == ["session_x", None]


async def test_a_program_gets_the_problem_document() -> None:
    async with client_of(Admits(READER)) as browser:
        answer = await browser.get("/jobs", headers={"Accept": "*/*"})

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 503


async def test_a_form_of_another_site_is_refused_before_anybody_is_asked() -> None:
    admission = Admits(READER)
    async with client_of(admission) as browser:
        for place in ("/sign-in", "/sign-out", "/agents/a/rollback"):
            page = await browser.post(place, headers={"Sec-Fetch-Site": "cross-site"})
            assert page.status_code == 403
            assert "comes from another site" in page.text

    assert admission.keys == []
