"""Why traffic exists. Only production feedback is worth learning from."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from archon_contracts.identifiers import derived_id

BAGGAGE_KEY: Final = "archon.purpose"
"""The W3C baggage entry in which a purpose travels along with a trace."""

RESERVED_PREFIX: Final = "archon:"
"""Interactions whose id begins so are the system's own, whatever is said of them later."""


_GATEWAY: Final = b"archon/gateway"
_SERVICES: Final = b"archon/"
_BAGGAGE: Final = BAGGAGE_KEY.encode()


class Purpose(StrEnum):
    """What an interaction was for. Absent means production."""

    PRODUCTION = "production"
    EVALUATION = "evaluation"
    SYNTHESIS = "synthesis"
    BENCHMARK = "benchmark"
    SHADOW = "shadow"  # answers that nobody was given
    TEST = "test"


class Mark(NamedTuple):
    """That a record is the system's own traffic: its purpose, and where that was seen."""

    purpose: str
    sign: str


def system_interaction_id(purpose: Purpose, *parts: object) -> str:
    """An interaction id that says itself what the interaction was for.

    The same parts give the same id. Feedback on it never counts, even where its sender forgets
    to say why it was asked: no look-up is needed to tell.
    """
    return f"{RESERVED_PREFIX}{purpose}:{derived_id(purpose, *parts)}"


def purpose_in_id(interaction_id: str) -> str:
    """The purpose that a reserved id names; empty for any other id."""
    if not interaction_id.startswith(RESERVED_PREFIX):
        return ""
    return interaction_id.removeprefix(RESERVED_PREFIX).partition(":")[0] or "unknown"


def system_purpose(text: str) -> Purpose | None:
    """A purpose as it was written; None for production.

    One of a newer release is read as TEST: what it is may be unknown, what it is not is known.
    """
    if text in ("", Purpose.PRODUCTION):
        return None
    try:
        return Purpose(text)
    except ValueError:
        return Purpose.TEST


def purpose_in_baggage(baggage: str) -> str:
    """The purpose in a W3C `baggage` header; empty where it names none."""
    for member in baggage.split(","):
        name, _, value = member.partition(";")[0].partition("=")
        if name.strip() == BAGGAGE_KEY:
            return value.strip()
    return ""


def system_mark(
    headers: Mapping[str, bytes | None], purpose: Purpose | None, subject: str
) -> Mark | None:
    """Whether a record of the feedback topic is the system's own traffic; None: production.

    `purpose` is its body's, `subject` the interaction or item that it is about. Any one of five
    signs is enough, so that a sender who forgets one of them is found by another. The gateway is a
    service too; what it passes on for others has no cause within the system.

    Raises:
        ValueError: header ce_purpose is none of the purposes.
    """
    if purpose is not None and purpose is not Purpose.PRODUCTION:
        return Mark(purpose, "body")
    if (given := headers.get("ce_purpose")) and given != b"production":
        return Mark(Purpose(given.decode()), "header")
    if subject.startswith(RESERVED_PREFIX):
        return Mark(system_purpose(purpose_in_id(subject)) or Purpose.TEST, "interaction")
    source = headers.get("ce_source")
    passed_on = source == _GATEWAY and not headers.get("ce_causationid")
    if source and source.startswith(_SERVICES) and not passed_on:
        return Mark("service", "source")
    if (baggage := headers.get("baggage")) and _BAGGAGE in baggage:
        travelled = system_purpose(purpose_in_baggage(baggage.decode(errors="replace")))
        return Mark(travelled, "baggage") if travelled else None
    return None
