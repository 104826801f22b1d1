"""Admission before the body: no byte of it is read for a caller that is not let in.

A request holds its tenant's place among the requests under way until it is answered.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.gateway.auth.admission import Admission
from services.gateway.auth.credentials import Caller, bearer_key
from services.gateway.http.problems import build_error_response
from services.gateway.load.load_shedding import Backpressure, Reservation
from shared.errors import ArchonError

Scope = MutableMapping[str, Any]
BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_JSON_ELEMENTS: Final = 400_000
"""A parser holds the interpreter until its last element: this many take it a tenth of a second."""
STRUCTURAL: Final = (b",", b":", b"{", b"[")
"""Characters of which a JSON body has at least one for each element; texts may add some."""
CALLER: Final = "archon.caller"
HELD: Final = "archon.held"


class BodyGate:
    """Authenticates a request with a body, then reserves each byte of the body as it arrives.

    The key's requests are counted here; its scope is checked by the route. A JSON body with too
    many elements is refused while it arrives, except at `uncounted_paths`, whose routes bound
    what they parse themselves. Routes at `open_paths` let in by themselves, and bound what they
    read of a caller that is not let in yet.
    """

    def __init__(
        self,
        app: Any,
        *,
        admission: Admission,
        backpressure: Backpressure,
        uncounted_paths: Collection[str] = (),
        open_paths: Collection[str] = (),
    ) -> None:
        self._app = app
        self._admission = admission
        self._backpressure = backpressure
        self._uncounted_paths = uncounted_paths
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with ExitStack() as held:
            scope[HELD] = held
            if scope["method"] in BODILESS or scope["path"] in self._open_paths:
                await self._app(scope, receive, send)
            else:
                await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Any, send: Any) -> None:
        request = Request(scope)
        try:
            caller = await self._admission.authenticate(
                key=bearer_key(request.headers.get("authorization", "")),
                address=request.client.host if request.client else "",
            )
            hold_place(request, caller, self._backpressure)
            self._backpressure.size.require_room(caller.tenant_id)
        except ArchonError as error:
            response = build_error_response(request, error)
            # What was not read of the body would be taken for the next request.
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        scope[CALLER] = caller
        with self._backpressure.size.reserve(0, caller.tenant_id) as reservation:
            await self._app(scope, self._counted(scope["path"], receive, reservation), send)

    def _counted(self, path: str, receive: Any, reservation: Reservation) -> Any:
        elements = 0

        async def receive_counted() -> MutableMapping[str, Any]:
            nonlocal elements
            message: MutableMapping[str, Any] = await receive()
            if chunk := message.get("body", b""):
                reservation.add(len(chunk))
                if path not in self._uncounted_paths:
                    elements += count_elements(chunk)
                    require_few_elements(elements)
            return message

        return receive_counted


def hold_place(request: Request, caller: Caller, backpressure: Backpressure) -> None:
    """Count the request as one of its tenant's until it is answered.

    Slow answers and streams would otherwise take all connections of the gateway for one tenant.

    Raises:
        Overloaded: too many are under way, of all tenants or of this one.
    """
    held: ExitStack = request.scope[HELD]
    held.enter_context(backpressure.requests.reserve(1, caller.tenant_id))


def admitted_caller(request: Request) -> Caller | None:
    """The caller that the gate let in; None for a request without a body."""
    caller: Caller | None = request.scope.get(CALLER)
    return caller


def count_elements(body: bytes) -> int:
    """At least the number of JSON elements that a parser would build of it."""
    return sum(body.count(character) for character in STRUCTURAL)


def require_few_elements(elements: int) -> None:
    """Refuse a body that would occupy the parser for too long.

    Raises:
        HTTPException: 413; it names the limit.
    """
    if elements > MAX_JSON_ELEMENTS:
        detail = (
            f"the body has more than {MAX_JSON_ELEMENTS} JSON elements (',', ':', '{{' and '[' are "
            "counted); send less at once"
        )
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
