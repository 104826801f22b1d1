"""Traffic classes. Only production feedback is stored and trained on."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from archon_contracts.identifiers import derived_id

BAGGAGE_KEY: Final = "archon.traffic_class"
"""The W3C baggage entry that propagates a traffic class with a trace."""

RESERVED_PREFIX: Final = "archon:"
"""Interaction ids with this prefix are internal traffic, whatever later events state."""


_GATEWAY: Final = b"archon/gateway"
_SERVICES: Final = b"archon/"


class TrafficClass(StrEnum):
    """What an interaction was for. Absent means production."""

    PRODUCTION = "production"
    EVALUATION = "evaluation"
    SYNTHESIS = "synthesis"
    BENCHMARK = "benchmark"
    SHADOW = "shadow"  # answers of a shadow deployment; no user saw them
    TEST = "test"


class InternalTraffic(NamedTuple):
    """A record that is internal traffic: its class, and the signal that showed it."""

    traffic_class: str
    signal: str


def internal_interaction_id(traffic_class: TrafficClass, *parts: object) -> str:
    """An interaction id that carries its traffic class. The same parts give the same id.

    Feedback on it is recognised without a look-up, also when its sender omits the class.
    """
    return f"{RESERVED_PREFIX}{traffic_class}:{derived_id(traffic_class, *parts)}"


def traffic_class_in_id(interaction_id: str) -> str:
    """The traffic_class that a reserved id names; empty for any other id."""
    if not interaction_id.startswith(RESERVED_PREFIX):
        return ""
    return interaction_id.removeprefix(RESERVED_PREFIX).partition(":")[0] or "unknown"


def parse_traffic_class(text: str) -> TrafficClass | None:
    """A traffic_class as it was written; None for production.

    An unknown one, of a newer release, is read as TEST: it is not production.
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
    """The traffic class that marks a record of the feedback topic as internal; None: production.

    `traffic_class` is the body's, `subject` the interaction or item concerned. Any one of four
    signals (body, header, id, source) suffices, so a sender may omit some. Records that the gateway
    forwards for clients have its source too, but no causation id.

    W3C baggage is none: instrumented producers copy it from the request that is being handled, and
    whoever calls an agent could so keep its reports from counting.

    Raises:
        ValueError: header ce_trafficclass is no traffic class.
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
    return None
