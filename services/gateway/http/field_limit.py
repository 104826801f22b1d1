"""A body of absurdly many fields is refused before it is checked: each would be one more error."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException

MOST_FIELDS: Final = 1_000
"""No contract and no wish has a thirtieth of them; an agent's own context may have some."""
MOST_UNSEEN: Final = 20_000
"""Fields of a body that is checked without a look at its shape: so many errors cost little."""
DEEPEST: Final = 3
"""Objects within objects that a wish has, and one more."""
TOO_MANY: Final = f"an object has more than {MOST_FIELDS} fields"


def is_overfull(body: bytes) -> bool:
    """Whether the body, an event or a list of them, has an object of more than MOST_FIELDS."""
    if body.count(b":") <= MOST_UNSEEN:
        return False
    try:
        found = from_json(body, cache_strings="keys")
    except ValueError:
        return False  # the contract's own parser says what is wrong
    # What an event holds may be anything of the agent's own, with any number of fields.
    is_batch = isinstance(found, dict) and "events" in found
    return has_too_many_fields(found, deepest=1 if is_batch else 0)


def has_too_many_fields(found: Any, deepest: int = DEEPEST) -> bool:
    """Whether an object near the top has more than MOST_FIELDS, itself or in a list.

    `deepest` objects are looked into, one within the other; lists do not count as a step.
    """
    if isinstance(found, dict):
        if len(found) > MOST_FIELDS:
            return True
        return deepest > 0 and _any(found.values(), deepest - 1)
    return isinstance(found, list) and _any((e for e in found if isinstance(e, dict)), deepest)


def _any(values: Iterable[Any], deepest: int) -> bool:
    return any(has_too_many_fields(value, deepest) for value in values)


class BoundedRoute(APIRoute):
    """A route whose JSON body is looked at before it is checked."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, on a request that looks."""
        handle = super().get_route_handler()

        async def handle_bounded(request: Request) -> Response:
            return await handle(_BoundedRequest(request.scope, request.receive))

        return handle_bounded


class _BoundedRequest(Request):
    async def json(self) -> Any:
        found = await super().json()
        if has_too_many_fields(found):
            # FastAPI lets this one pass; any other error it takes for one of the parser's.
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, TOO_MANY)
        return found
