"""Requests of a browser: the session in its cookie, where they come from, and errors as pages.

Nothing here decides what a caller may do: a session becomes the `Authorization` header that a
program would send, and every refusal is the problem document that it would get, as a page.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.gateway.auth.sessions import COOKIE, SIGN_IN_PATH
from services.gateway.dashboard.pages import respond
from services.gateway.http.problems import MEDIA_TYPE, build_problem

Scope = MutableMapping[str, Any]
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
NOT_PAGES: Final = ("/v1/", "/openapi.json")
"""Addresses for programs: a cookie counts for nothing there, so no other site's form can use it."""


class BrowserRequests:
    """The outermost middleware."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(NOT_PAGES):
            await self._app(scope, receive, send)
            return
        if scope["method"] in SAFE:
            scope = {**scope, "query_string": drop_empty_fields(scope["query_string"])}
        request = Request(scope)
        token = request.cookies.get(COOKIE)
        answers = ProblemPages(request, send)
        if (token or scope["path"] == SIGN_IN_PATH) and is_forged(request):
            detail = "this request comes from another site; open the page here and send it again"
            refusal = build_problem(request, HTTPStatus.FORBIDDEN, detail)
            await refusal(scope, receive, answers.send)
            return
        if token:
            others = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
            bearer = (b"authorization", b"Bearer " + token.encode("latin-1", "replace"))
            scope = {**scope, "headers": [*others, bearer]}
        await self._app(scope, receive, answers.send)


def drop_empty_fields(query: bytes) -> bytes:
    """The query of a page's address without the fields that a form left empty."""
    pairs = [pair.partition(b"=") for pair in query.split(b"&")]
    return b"&".join(b"".join(pair) for pair in pairs if pair[2] or not pair[1])


class ProblemPages:
    """Sends an answer on; a problem document for somebody who reads pages becomes one."""

    def __init__(self, request: Request, send: Any) -> None:
        self._request = request
        self._send = send
        self._start: MutableMapping[str, Any] | None = None
        self._body = b""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send one message of the answer, or keep it until the problem is whole."""
        if message["type"] == "http.response.start" and self._is_problem(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                page = await build_page(self._request, self._start, orjson.loads(self._body))
                await page(self._request.scope, self._request.receive, self._send)

    def _is_problem(self, message: MutableMapping[str, Any]) -> bool:
        types = [value for name, value in message["headers"] if name.lower() == b"content-type"]
        reads_pages = "text/html" in self._request.headers.get("accept", "")
        return reads_pages and types[:1] == [MEDIA_TYPE.encode()]


async def build_page(
    request: Request, start: MutableMapping[str, Any], problem: dict[str, Any]
) -> Response:
    """The page of a refusal; who is not signed in is sent to sign in and back."""
    status = start["status"]
    if status == HTTPStatus.UNAUTHORIZED and request.url.path != SIGN_IN_PATH:
        return redirect_to_sign_in(request)
    kept = (b"retry-after", b"allow", b"connection")
    headers = {n.decode(): v.decode() for n, v in start["headers"] if n.lower() in kept}
    return await respond(request, "problem.html", status=status, headers=headers, problem=problem)


def redirect_to_sign_in(request: Request) -> Response:
    """To the sign-in page, with the page to return to."""
    wanted = request.url
    place = wanted.path + (f"?{wanted.query}" if wanted.query else "")
    if request.method not in SAFE:
        # What was sent is lost with the session; the page it was sent from is shown again.
        place = urlsplit(request.headers.get("referer", "")).path or "/"
    target = f"{SIGN_IN_PATH}?next={quote(read_next(place), safe='')}"
    if request.headers.get("hx-request"):
        # A redirect would be followed inside of the page; this makes the browser leave it.
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": target})
    return RedirectResponse(target, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})


def read_next(place: str) -> str:
    """A path of this site to go to after sign-in; anything else is the overview."""
    # A browser takes `//host` and `/\host` for another site.
    if not place.startswith("/") or place[1:2] in ("/", "\\") or not place.isprintable():
        return "/"
    return "/" if place.startswith(SIGN_IN_PATH) else place


def is_forged(request: Request) -> bool:
    """Whether a request that changes something comes from another site's page.

    The browser says so itself (Fetch metadata), or names the page's site; a request with a
    session that says neither comes from no browser that keeps sessions apart, and is refused too.
    """
    if request.method in SAFE:
        return False
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    sender = urlsplit(request.headers.get("origin", "")).netloc
    return not sender or sender != request.headers.get("host", "")
