"""Limit of the fields of a body, checked before validation: each unknown field is an error."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException

MAX_FIELDS: Final = 1_000
"""Contracts and request bodies have fewer than 30; an agent's own context may have more."""
MAX_UNCHECKED_FIELDS: Final = 20_000
"""Up to this many fields a body is validated without this check: the errors cost little."""
MAX_DEPTH: Final = 3
"""Nesting depth of objects that is searched: that of request bodies, and one more."""
TOO_MANY_FIELDS: Final = f"an object has more than {MAX_FIELDS} fields"


def exceeds_field_limit(body: bytes) -> bool:
    """Whether the body, an event or a list of them, has an object of more than MAX_FIELDS."""
    if body.count(b":") <= MAX_UNCHECKED_FIELDS:
        return False
    try:
        found = from_json(body, cache_strings="keys")
    except ValueError:
        return False  # the contract's own parser says what is wrong
    # Fields inside an event (such as its input) are the agent's own, in any number.
    is_batch = isinstance(found, dict) and "events" in found
    return has_too_many_fields(found, max_depth=1 if is_batch else 0)


def has_too_many_fields(found: Any, max_depth: int = MAX_DEPTH) -> bool:
    """Whether an object near the top has more than MAX_FIELDS, itself or in a list.

    Searches `max_depth` levels of nested objects; a list is no level.
    """
    if isinstance(found, dict):
        if len(found) > MAX_FIELDS:
            return True
        return max_depth > 0 and _any(found.values(), max_depth - 1)
    return isinstance(found, list) and _any((e for e in found if isinstance(e, dict)), max_depth)


def _any(values: Iterable[Any], max_depth: int) -> bool:
    return any(has_too_many_fields(value, max_depth) for value in values)


class FieldLimitedRoute(APIRoute):
    """A route whose JSON body is checked for its number of fields before validation."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler on a request with the field limit."""
        handle = super().get_route_handler()

        async def handle_limited(request: Request) -> Response:
            limited = _FieldLimitedRequest(request.scope, request.receive)
            # FastAPI would report a refusal while the body is read as malformed JSON.
            await limited.body()
            return await handle(limited)

        return handle_limited


class _FieldLimitedRequest(Request):
    async def json(self) -> Any:
        found = await super().json()
        # Without so many colons no object can have so many fields: the search can be spared.
        if (await self.body()).count(b":") > MAX_FIELDS and has_too_many_fields(found):
            # FastAPI passes an HTTPException on; other errors it reports as malformed JSON.
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, TOO_MANY_FIELDS)
        return found
