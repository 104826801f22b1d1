"""Upper bounds of numbers that people choose, checked where a number enters.

The bounds are not part of the JSON Schemas: a released message may hold a larger number, and
narrowing a schema would be a new version of every message that carries a policy. A value that
enters (a request, a command) is refused above its bound. A value that is read back (a stored
profile, an event) is taken as the bound itself, so that an old one stays readable.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import AfterValidator, ValidationInfo

MAX_SECONDS: Final = 366 * 86_400
"""Any time that is added to another must stay inside the calendar."""
MAX_COUNT: Final = 1_000_000
"""Well inside a PostgreSQL integer, and more than any window or training can use."""
MAX_EVENT_BYTES: Final = 65_536
"""A feedback event. Ten thousand of them are a window, which is held on disk and in the memory of
data preparation; an answer that is longer than this is a document, and belongs into a dataset."""
MAX_PROFILE_BYTES: Final = 400_000
"""A ConfigureAgent. It is repeated, with more around it, in records that Kafka takes to 1 MB."""

SATURATE: Final = {"saturate": True}
"""Validation context for values that were accepted once: read a number above its bound as it."""


def at_most(maximum: float, unit: str = "") -> AfterValidator:
    """A validator that refuses a number above `maximum`, or with `SATURATE` returns it."""

    def check(value: Any, info: ValidationInfo) -> Any:
        if value is None or value <= maximum:
            return value
        if info.context and info.context.get("saturate"):
            return type(value)(maximum)
        raise ValueError(f"must be at most {maximum:,.12g}" + (f" ({unit})" if unit else ""))

    return AfterValidator(check)


SECONDS_BOUND: Final = at_most(MAX_SECONDS, "366 days")
COUNT_BOUND: Final = at_most(MAX_COUNT)
