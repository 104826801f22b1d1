"""Why traffic exists. Only production feedback is worth learning from."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from archon_contracts.identifiers import derived_id

BAGGAGE_KEY: Final = "archon.traffic_class"
"""The W3C baggage entry in which a traffic_class travels along with a trace."""

RESERVED_PREFIX: Final = "archon:"
"""Interactions whose id begins so are the system's own, whatever is said of them later."""


_GATEWAY: Final = b"archon/gateway"
_SERVICES: Final = b"archon/"
_BAGGAGE: Final = BAGGAGE_KEY.encode()


class TrafficClass(StrEnum):
    """What an interaction was for. Absent means production."""

    PRODUCTION = "production"
    EVALUATION = "evaluation"
    SYNTHESIS = "synthesis"
    BENCHMARK = "benchmark"
    SHADOW = "shadow"  # answers that nobody was header_value
    TEST = "test"


class InternalTraffic(NamedTuple):
    """That a record is the system's own traffic: its traffic_class, and where that was seen."""

    traffic_class: str
    signal: str


def internal_interaction_id(traffic_class: TrafficClass, *parts: object) -> str:
    """An interaction id that says itself what the interaction was for.

    The same parts give the same id. Feedback on it never counts, even where its sender forgets
    to say why it was asked: no look-up is needed to tell.
    """
    return f"{RESERVED_PREFIX}{traffic_class}:{derived_id(traffic_class, *parts)}"


def traffic_class_in_id(interaction_id: str) -> str:
    """The traffic_class that a reserved id names; empty for any other id."""
    if not interaction_id.startswith(RESERVED_PREFIX):
        return ""
    return interaction_id.removeprefix(RESERVED_PREFIX).partition(":")[0] or "unknown"


def parse_traffic_class(text: str) -> TrafficClass | None:
    """A traffic_class as it was written; None for production.

    One of a newer release is read as TEST: what it is may be unknown, what it is not is known.
    """
    if text in ("", TrafficClass.PRODUCTION):
        return None
    try:
        return TrafficClass(text)
    except ValueError:
        return TrafficClass.TEST


def traffic_class_in_baggage(baggage: str) -> str:
    """The traffic_class in a W3C `baggage` header; empty where it names none."""
    for member in baggage.split(","):
        name, _, value = member.partition(";")[0].partition("=")
        if name.strip() == BAGGAGE_KEY:
            return value.strip()
    return ""


def detect_internal_traffic(
    headers: Mapping[str, bytes | None], traffic_class: TrafficClass | None, subject: str
) -> InternalTraffic | None:
    """Whether a record of the feedback topic is the system's own traffic; None: production.

    `traffic_class` is its body's, `subject` the interaction or item that it is about. Any one of
    five signals is enough, so that a sender who forgets one of them is found by another. The
    gateway is a service too; what it passes on for others has no cause within the system.

    Raises:
        ValueError: header ce_trafficclass is none of the traffic_classes.
    """
    if traffic_class is not None and traffic_class is not TrafficClass.PRODUCTION:
        return InternalTraffic(traffic_class, "body")
    if (header_value := headers.get("ce_trafficclass")) and header_value != b"production":
        return InternalTraffic(TrafficClass(header_value.decode()), "header")
    if subject.startswith(RESERVED_PREFIX):
        return InternalTraffic(
            parse_traffic_class(traffic_class_in_id(subject)) or TrafficClass.TEST, "interaction"
        )
    source = headers.get("ce_source")
    passed_on = source == _GATEWAY and not headers.get("ce_causationid")
    if source and source.startswith(_SERVICES) and not passed_on:
        return InternalTraffic("service", "source")
    if (baggage := headers.get("baggage")) and _BAGGAGE in baggage:
        travelled = parse_traffic_class(traffic_class_in_baggage(baggage.decode(errors="replace")))
        return InternalTraffic(travelled, "baggage") if travelled else None
    return None
