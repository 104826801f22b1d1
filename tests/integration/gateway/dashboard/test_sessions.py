"""A key becomes a session, which may do what its key may, and no other site may use it."""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
import pytest_asyncio

from archon_contracts.topics import REGISTRY_COMMANDS
from services.gateway.auth.credentials import hash_key
from services.gateway.auth.sessions import COOKIE
from tests.support.gateway.dashboard import (
    READS_PAGES,
    PageReader,
    browser_of,
    sign_in,
    store_retrain,
)
from tests.support.gateway.gateway import KEY, ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOREIGN = {"Origin": "https://evil.example"}


@pytest_asyncio.fixture(loop_scope="module")
async def browser(gateway: ServedGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(gateway) as client:
        yield client


async def new_key(
    gateway: ServedGateway, *scopes: str, agents: list[str] | None = None
) -> dict[str, str]:
    """A key with these scopes."""
    wanted = {"name": "somebody", "scopes": scopes} | ({"agents": agents} if agents else {})
    made = await gateway.http.post("/v1/keys", json=wanted)
    assert made.status_code == 201, made.text
    created: dict[str, str] = made.json()
    return created


async def test_without_a_session_a_page_asks_to_sign_in_and_returns_to_itself(
    browser: httpx.AsyncClient,
) -> None:
    asked = await browser.get("/jobs?state=failed")
    form = await browser.get(asked.headers["location"])
    signed = await sign_in(browser, to=PageReader(form.text).value_of("next"))

    assert asked.status_code == 303
    assert signed.headers["location"] == "/jobs?state=failed"
    assert (await browser.get("/jobs?state=failed")).status_code == 200


@pytest.mark.parametrize("place", ["//evil.example", "/\\evil.example", "https://evil.example", ""])
async def test_sign_in_never_leads_to_another_site(browser: httpx.AsyncClient, place: str) -> None:
    assert (await sign_in(browser, to=place)).headers["location"] == "/"


async def test_the_cookie_is_for_this_site_only_and_holds_no_key(
    browser: httpx.AsyncClient,
) -> None:
    cookie = (await sign_in(browser)).headers["set-cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=43200" in cookie
    assert KEY not in cookie


async def test_a_wrong_key_and_one_that_may_not_read_are_refused(
    gateway: ServedGateway, browser: httpx.AsyncClient
) -> None:
    sender = await new_key(gateway, "feedback")

    wrong = await sign_in(browser, "not-a-key")
    unfit = await sign_in(browser, sender["key"])

    assert (wrong.status_code, unfit.status_code) == (401, 403)
    assert "lacks the scope" in unfit.text
    assert not browser.cookies


async def test_a_session_cannot_make_a_longer_one(browser: httpx.AsyncClient) -> None:
    await sign_in(browser)

    again = await sign_in(browser, browser.cookies[COOKIE])

    assert again.status_code == 401


async def test_sign_out_ends_the_session_at_the_server(browser: httpx.AsyncClient) -> None:
    await sign_in(browser)
    token = browser.cookies[COOKIE]

    left = await browser.post("/sign-out")
    browser.cookies.set(COOKIE, token)

    assert left.headers["location"] == "/sign-in"
    assert (await browser.get("/")).status_code == 303


async def test_a_session_ends_when_its_time_is_over_and_with_its_key(
    gateway: ServedGateway, browser: httpx.AsyncClient, module_database_url: str
) -> None:
    made = await new_key(gateway, "read")
    await sign_in(browser, made["key"])
    assert (await browser.get("/jobs")).status_code == 200

    await gateway.http.post(f"/v1/keys/{made['id']}/revoke")
    revoked = await browser.get("/jobs")
    await sign_in(browser)
    connection = await asyncpg.connect(module_database_url)
    await connection.execute(
        "UPDATE gateway.sessions SET expires_at = now() WHERE token_hash = $1",
        hash_key(browser.cookies[COOKIE]),
    )
    await connection.close()
    expired = await browser.get("/jobs")

    assert (revoked.status_code, expired.status_code) == (303, 303)
    assert expired.headers["location"] == "/sign-in?next=%2Fjobs"


async def test_a_session_counts_for_nothing_in_the_api(browser: httpx.AsyncClient) -> None:
    await sign_in(browser)

    assert (await browser.get("/v1/jobs")).status_code == 401


@pytest.mark.parametrize(
    "headers", [FOREIGN, {"Origin": ""}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_a_form_of_another_site_changes_nothing(
    gateway: ServedGateway, browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    await sign_in(browser)
    key = await new_key(gateway, "read")

    refused = await browser.post(f"/operations/keys/{key['id']}/revoke", headers=headers)

    assert refused.status_code == 403
    listed = await gateway.get("/v1/keys")
    (found,) = [each for each in listed["items"] if each["id"] == key["id"]]
    assert found["revoked_at"] is None


async def test_a_reader_is_shown_no_button_that_would_be_refused(
    gateway: ServedGateway, browser: httpx.AsyncClient
) -> None:
    job = await store_retrain(gateway, "reader-agent")
    await sign_in(browser, (await new_key(gateway, "read"))["key"])

    pages = [await browser.get(p) for p in ("/", f"/jobs/{job}", "/agents/reader-agent")]
    refused = [
        await browser.get(place)
        for place in (
            "/operations/keys",
            "/operations/dead-letters",
            "/operations/system",
            "/operations/settings",
            "/agents/reader-agent/rollback",
            "/agents/reader-agent/deploy/1.1.0",
        )
    ]
    sent = await browser.post("/agents/reader-agent/rollback", data={"reason": "mine"})

    links = [link for page in pages for link in PageReader(page.text).links()]
    assert [link for link in links if "rollback" in link or "deploy/" in link] == []
    assert [link for link in links if link.startswith(("/operations/k", "/operations/d"))] == []
    assert [each.status_code for each in (*refused, sent)] == [403] * 7
    assert all("lacks the scope" in each.text for each in refused)


async def test_a_session_of_a_bound_key_sees_its_agents_alone(
    gateway: ServedGateway, browser: httpx.AsyncClient
) -> None:
    own, other = await store_retrain(gateway, "own"), await store_retrain(gateway, "other")
    await sign_in(browser, (await new_key(gateway, "read", agents=["own"]))["key"])

    pages = [await browser.get(place) for place in ("/", "/jobs", "/data", "/operations/audit")]

    assert [page.status_code for page in pages] == [200] * 4
    links = [link for page in pages for link in PageReader(page.text).links()]
    assert [link for link in links if "other" in link or str(other) in link] == []
    assert (await browser.get(f"/jobs/{own}")).status_code == 200
    assert (await browser.get(f"/jobs/{other}")).status_code == 404
    assert (await browser.get("/agents/other")).status_code == 403
    assert (await browser.get("/changes?agent_id=other")).status_code == 403


async def test_a_confirmed_rollback_is_one_command_however_often_it_is_sent(
    gateway: ServedGateway, browser: httpx.AsyncClient
) -> None:
    await store_retrain(gateway, "rolled")
    await sign_in(browser)
    form = PageReader((await browser.get("/agents/rolled/rollback?to_version=1.1.0")).text)
    fields = {
        "reason": "worse answers",
        "request_id": form.value_of("request_id"),
        "to_version": form.value_of("to_version"),
    }

    answers = [await browser.post("/agents/rolled/rollback", data=fields) for _ in range(2)]
    nameless = await browser.post("/agents/rolled/rollback", data={"reason": "", "request_id": "x"})

    assert [each.headers.get("location") for each in answers] == [
        "/agents/rolled?accepted=rollback"
    ] * 2
    assert nameless.status_code == 422
    assert "reason" in nameless.text
    records = await gateway.records(REGISTRY_COMMANDS, b"worse answers")
    assert len(records) == 1


async def test_commands_of_pages_are_those_of_the_api_and_so_are_their_refusals(
    gateway: ServedGateway, browser: httpx.AsyncClient
) -> None:
    job = await store_retrain(gateway, "deployed")
    await sign_in(browser)
    form = PageReader((await browser.get("/agents/deployed/deploy/1.1.0")).text)
    fields = {"reason": "checked by hand", "request_id": form.value_of("request_id")}

    deployed = await browser.post("/agents/deployed/deploy/1.1.0", data=fields)
    unknown = await browser.post("/agents/deployed/deploy/9.9.9", data=fields)
    finished = await browser.post(f"/jobs/{job}/cancel", data={"reason": "too late"})

    assert deployed.headers["location"] == "/agents/deployed?accepted=deploy"
    assert len(await gateway.records(REGISTRY_COMMANDS, b"checked by hand")) == 1
    assert (unknown.status_code, finished.status_code) == (404, 409)
    assert "can no longer be cancelled" in finished.text


async def test_a_form_that_is_too_long_is_refused_before_anybody_has_signed_in(
    browser: httpx.AsyncClient,
) -> None:
    refused = await browser.post("/sign-in", content=b"key=" + b"k" * 20_000, headers=READS_PAGES)

    assert refused.status_code == 413


async def test_a_link_signs_in_once_and_only_by_its_button(
    gateway: ServedGateway, browser: httpx.AsyncClient
) -> None:
    browser.cookies.clear()
    made = (await gateway.http.post("/v1/sign-in-links", json={"next": "/jobs"})).json()

    shown = await browser.get(made["path"])
    again = await browser.get(made["path"])
    fields = {name: PageReader(shown.text).value_of(name) for name in ("link", "next")}
    foreign = await browser.post("/sign-in", data=fields, headers=FOREIGN)
    signed = await browser.post("/sign-in", data=fields)
    page = await browser.get("/jobs")
    repeated = await browser.post("/sign-in", data=fields)

    assert [shown.status_code, again.status_code, foreign.status_code] == [200, 200, 403]
    assert COOKIE not in shown.headers.get("set-cookie", "")
    assert (signed.status_code, signed.headers["location"]) == (303, "/jobs")
    assert page.status_code == 200
    assert repeated.status_code == 401
    assert "was used or has expired" in repeated.text


async def test_a_link_has_the_permissions_of_its_key_and_ends_with_it(
    gateway: ServedGateway, browser: httpx.AsyncClient
) -> None:
    key = await new_key(gateway, "read", agents=["own"])
    headers = {"Authorization": f"Bearer {key['key']}"}
    links = [
        (await gateway.http.post("/v1/sign-in-links", headers=headers)).json() for _ in range(2)
    ]
    fields = [{"link": link["path"].partition("link=")[2].partition("&")[0]} for link in links]
    browser.cookies.clear()

    await browser.post("/sign-in", data=fields[0])
    refused = await browser.get("/agents/another")
    await gateway.http.post(f"/v1/keys/{key['id']}/revoke")
    late = await browser.post("/sign-in", data=fields[1])

    assert refused.status_code == 403
    assert late.status_code == 401


async def test_a_session_makes_no_link(gateway: ServedGateway, browser: httpx.AsyncClient) -> None:
    await sign_in(browser)
    headers = {"Authorization": f"Bearer {browser.cookies[COOKIE]}"}

    answer = await gateway.http.post("/v1/sign-in-links", headers=headers)

    assert answer.status_code == 401


@pytest.mark.parametrize("place", ["https://evil.example", "evil", "\\evil"])
async def test_a_link_leads_to_this_site_only(gateway: ServedGateway, place: str) -> None:
    answer = await gateway.http.post("/v1/sign-in-links", json={"next": place})

    assert answer.status_code == 422
