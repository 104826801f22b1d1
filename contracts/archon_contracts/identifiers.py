"""Identifiers: UUIDv7 where ids should sort by time, UUIDv5 where they are derived."""

from __future__ import annotations

import os
import time
from typing import NewType
from uuid import UUID, uuid5

JobId = NewType("JobId", UUID)
EventId = NewType("EventId", UUID)

# Never to be changed: every derived id would be another, and repeated work would count twice.
ARCHON_NAMESPACE = UUID("6f1d1d3e-7c1b-5d55-9a51-0b8b6a0f6d11")


def new_id() -> UUID:
    """A new UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits.

    Written here because subscribers install this package and Python has none before 3.14.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (2**48 - 1)) << 80 | random
    # RFC 9562: the version (7) in bits 48 to 51, the variant (binary 10) in bits 64 and 65.
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def derived_id(*parts: object) -> UUID:
    """The UUIDv5 of the parts: equal parts give equal ids, so repeated work is idempotent."""
    # Joined by the unit separator, which names do not hold: ("a", "bc") and ("ab", "c")
    # must differ.
    return uuid5(ARCHON_NAMESPACE, "\x1f".join(str(part) for part in parts))


def feedback_event_id(
    tenant_id: str, agent_id: str, interaction_id: str, source: str, submitted_by: str = ""
) -> EventId:
    """The id of feedback that came without one: one event per interaction, source and submitter.

    `submitted_by` names the API key or the Kafka source: nobody can use up the id of another.
    """
    submitter = (submitted_by,) if submitted_by else ()
    return EventId(derived_id("feedback", tenant_id, agent_id, interaction_id, source, *submitter))
