"""Admission before the body: no byte of it is read for a caller that is not let in."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
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


class BodyGate:
    """Authenticates a request with a body, then reserves each byte of the body as it arrives.

    The key's requests are counted here; its scope is checked by the route. A JSON body with too
    many elements is refused while it arrives, except at `uncounted_paths`, whose routes bound
    what they parse themselves.
    """

    def __init__(
        self,
        app: Any,
        *,
        admission: Admission,
        backpressure: Backpressure,
        uncounted_paths: Collection[str] = (),
    ) -> None:
        self._app = app
        self._admission = admission
        self._backpressure = backpressure
        self._uncounted_paths = uncounted_paths

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in BODILESS:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            caller = await self._admission.authenticate(
                key=bearer_key(request.headers.get("authorization", "")),
                address=request.client.host if request.client else "",
            )
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
