"""Checks of request bodies that the parsers do not make, and parser errors as refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from services.gateway.errors import FieldError, Invalid, MalformedBody
from services.gateway.http.field_limit import TOO_MANY_FIELDS, exceeds_field_limit

MAX_ERRORS_REPORTED: Final = 20
MAX_ERRORS_BUILT: Final = 100
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # not after an escaped backslash


def reject_unstorable(body: bytes) -> None:
    """Refuse values that the parser accepts but that cannot be stored unchanged.

    NaN and Infinity are not JSON and would become null; PostgreSQL text has no NUL character.

    Raises:
        MalformedBody: the body holds one of them.
    """
    # Hardly any body has these words, so hardly any is parsed a second time.
    if b"NaN" in body or b"Infinity" in body:
        try:
            json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise MalformedBody(f"the body is not valid JSON: {str(error)[:200]}") from error
    if b"\\u0000" in body and _NUL.search(body):
        raise MalformedBody("the body holds the NUL character, \\u0000; leave it out")


def reject_too_many_fields(body: bytes) -> None:
    """Refuse a body with too many fields before each becomes a validation error.

    Raises:
        Invalid: the body, or an event of it, is over the limit.
    """
    if exceeds_field_limit(body):
        raise Invalid([FieldError("body", "too_many_fields", TOO_MANY_FIELDS)])


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def to_request_error(error: ValidationError, prefix: tuple[str | int, ...] = ()) -> Exception:
    """The refusal for a pydantic error: fields and rules, never the input."""
    if (count := error.error_count()) > MAX_ERRORS_BUILT:
        # pydantic builds all of a million errors to report twenty.
        message = f"{count} fields break a rule; see the contract"
        return Invalid([FieldError(format_field_path(prefix), "too_many_errors", message)])
    details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        return MalformedBody(f"the body is not valid JSON: {details[0]['msg']}")
    return Invalid([to_field_error(detail, prefix) for detail in details[:MAX_ERRORS_REPORTED]])


def to_field_error(detail: ErrorDetails, prefix: tuple[str | int, ...] = ()) -> FieldError:
    """A pydantic error as a field, a rule and a message."""
    return FieldError(format_field_path((*prefix, *detail["loc"])), detail["type"], detail["msg"])


def format_field_path(location: Sequence[str | int]) -> str:
    """`("events", 3, "rating")` as `events[3].rating`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else str(part)
    return path[:200] or "body"
