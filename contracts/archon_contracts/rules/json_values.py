"""Storable JSON: the values that every part of the system holds, writes and compares alike.

JSON libraries differ in integers beyond 64 bits, NaN and infinities, lone surrogates and depth.
What one of them accepts and another refuses would be found long after it was acknowledged, so one
rule holds at every door: HTTP, Kafka, the clients, the command line and uploaded datasets.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

from pydantic import AfterValidator, JsonValue, WithJsonSchema
from pydantic_core import from_json

MAX_INTEGER: Final = 2**63 - 1
MIN_INTEGER: Final = -(2**63)
MAX_DEPTH: Final = 64
"""Nesting of arrays and objects."""


def check_storable(value: JsonValue, depth: int = 0) -> JsonValue:
    """The value, unchanged.

    Raises:
        ValueError: it holds what cannot be stored; the text says what to send instead.
    """
    if isinstance(value, str):
        # The usual value, several times in every event: one C call, and no function of ours.
        if not value.isascii() or "\0" in value:
            _check_text(value)
    elif isinstance(value, int | float):
        _check_number(value)
    elif value is not None:
        if depth >= MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            check_storable(part, depth + 1)
    return value


def _check_number(value: float) -> None:
    if isinstance(value, int):
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise ValueError("an integer has more than 64 bits; send it as text")
    elif not math.isfinite(value):
        raise ValueError("a number is NaN or infinite, which JSON has not; send it as text")


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("a text holds the NUL character, \\u0000; leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text holds half of a surrogate pair; send whole ones") from error


def parse_json(text: str | bytes) -> Any:
    """JSON text as a storable value.

    Raises:
        ValueError: it is no JSON, or not storable.
    """
    return check_storable(from_json(text, allow_inf_nan=False))


def _refuse_null(value: JsonValue) -> JsonValue:
    if value is None:
        raise ValueError("null is not allowed here")
    return check_storable(value)


StorableJson = Annotated[JsonValue, AfterValidator(check_storable)]
"""Any storable JSON; null too."""

NonNullJson = Annotated[
    JsonValue,
    AfterValidator(_refuse_null),
    WithJsonSchema({"type": ["array", "boolean", "number", "object", "string"]}),
]
"""Storable JSON but null: bodies leave nulls out, so a required null would not survive the wire."""
