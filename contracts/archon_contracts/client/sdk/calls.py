"""What a call of the API consists of: its address, its body in JSON, and how it may be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID, uuid4

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

PAGE_ITEMS: Final = 1000
"""Items of a list in one answer: the most that the gateway gives at once."""
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One request. With an `idempotency_key` it has one effect however often it is sent."""

    method: str
    path: str
    query: Json
    body: Json | None = None
    idempotency_key: str = ""


def api_path(*segments: object) -> str:
    """The path of a resource; a segment is one, whatever characters it holds."""
    return "/v1/" + "/".join(quote(str(segment), safe="") for segment in segments)


def read_call(path: str, query: Json | None = None) -> ApiCall:
    """A GET; query values that are None are left out."""
    kept = {name: _plain(value) for name, value in (query or {}).items() if value is not None}
    return ApiCall("GET", path, kept)


def write_call(path: str, body: Json | None = None, *, query: Json | None = None) -> ApiCall:
    """A POST that has one effect, also when it is repeated after a lost answer."""
    call = read_call(path, query)
    return ApiCall("POST", path, call.query, plain_body(body or {}), uuid4().hex)


def function_call(name: str, body: Json) -> ApiCall:
    """A call of one of the specification's functions, in its camelCase."""
    return ApiCall("POST", api_path("functions", name), {}, to_camel_case(body), uuid4().hex)


def plain_body(body: Json) -> dict[str, Any]:
    """The body as JSON values; what is None is left out."""
    return {name: _plain(value) for name, value in body.items() if value is not None}


def to_camel_case(body: Json) -> dict[str, Any]:
    """The body with the names of its fields in camelCase; names inside of feedback stay."""
    names = {name: to_camel(name) for name in body}
    return {names[name]: value for name, value in plain_body(body).items()}


def page_sizes(limit: int | None) -> Iterator[int]:
    """How many items to ask for, page by page, until `limit` items are there."""
    left = limit
    while left is None or left > 0:
        size = PAGE_ITEMS if left is None else min(PAGE_ITEMS, left)
        yield size
        left = None if left is None else left - size


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        # Only what was set: an absent field has the default of the gateway's own version.
        return value.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, UUID):
        return str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [_plain(each) for each in value]
    return value
