"""Which version feedback rates, where the event does not say it: the logged interaction knows.

A rating may come days later from a program that knows only the interaction. The version that is
deployed by then is another one, and must neither gain nor lose by it, so nothing is guessed: what
neither names is of no version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import orjson

from archon_contracts.identifiers import derived_id
from services.coordinator.domain import AgentKey
from services.coordinator.feedback.stats import StoredFeedback

NAMES_ALL: Final = (b'"model_version"', b'"propensity"')
"""Members of a body. Within a text their quotes would be escaped, so that they cannot be mistaken;
a member whose value is null counts as named, which costs at most a stamp."""


def rated_interactions(
    key: AgentKey | None, feedback: Iterable[StoredFeedback]
) -> dict[UUID, UUID]:
    """By feedback that does not name its version or propensity, the event id of its interaction.

    That is the id of an interaction that the same key or Kafka source logged without an id of its
    own; one with its own id is not found, and no version is rated.
    """
    if key is None:
        return {}
    return {
        stored.event_id: derived_id("interaction", *key, stored.interaction_id, *_submitter(stored))
        for stored in feedback
        if stored.interaction_id and not all(name in stored.body for name in NAMES_ALL)
    }


def _submitter(stored: StoredFeedback) -> tuple[str, ...]:
    return (stored.submitted_by,) if stored.submitted_by else ()


def with_interactions(
    feedback: Iterable[StoredFeedback],
    rated: Mapping[UUID, UUID],
    interactions: Mapping[UUID, bytes],
) -> list[StoredFeedback]:
    """The feedback with the bodies of the interactions that it rates."""
    return [
        replace(stored, interaction=interactions.get(rated[stored.event_id]))
        if stored.event_id in rated
        else stored
        for stored in feedback
    ]


def stamp(body: Mapping[str, Any], interaction: bytes | None) -> tuple[str, float | None]:
    """The version that feedback rates and the propensity of its answer; "" and None: not known.

    Where the event names a version, an interaction of another one says nothing of it.
    """
    logged: Mapping[str, Any] = orjson.loads(interaction) if interaction else {}
    version = body.get("model_version") or logged.get("model_version") or ""
    propensity = body.get("propensity")
    if propensity is None and version == (logged.get("model_version") or version):
        propensity = logged.get("propensity")
    return version, propensity
