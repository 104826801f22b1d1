"""Counts what comes in on the feedback topic, per agent and hour, each record once.

The system's own traffic is left out, as it is by the coordinator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson
from pydantic import TypeAdapter, ValidationError

from archon_contracts.base import Identifier
from archon_contracts.catalogue import EVENTS
from archon_contracts.envelope import record_time
from archon_contracts.topics import FEEDBACK
from archon_contracts.traffic_classes import TrafficClass, detect_internal_traffic
from services.gateway.feedback.hourly_stats import HourlyCounts, start_of_hour
from shared.messaging.messages import RawRecord
from shared.postgres.database import Tx

AgentHour = tuple[str, str, datetime]

EVENT_NAMES = {c.message_type().encode(): c.__name__ for c in EVENTS if c.topic == FEEDBACK}
_identifier: TypeAdapter[str] = TypeAdapter(Identifier)


class FeedbackCounterStore(Protocol):
    """What is needed of the store."""

    async def feedback_offsets(self, tx: Tx, partitions: Sequence[int]) -> dict[int, int]: ...

    async def save_feedback_offsets(self, tx: Tx, offsets: Mapping[int, int]) -> None: ...

    async def add_feedback_counts(
        self, tx: Tx, counts: Mapping[AgentHour, HourlyCounts]
    ) -> None: ...


class FeedbackCounters:
    """Counters and offsets commit together, so a batch that is read again counts nothing twice.

    Records that cannot be read are passed over: the coordinator, who stores feedback, sets them
    aside as dead letters.
    """

    def __init__(self, store: FeedbackCounterStore) -> None:
        self._store = store

    async def count(self, tx: Tx, records: Sequence[RawRecord]) -> None:
        """Count a batch; takes `tx` and never commits."""
        seen = await self._store.feedback_offsets(tx, sorted({r.partition for r in records}))
        fresh = [r for r in records if r.offset >= seen.get(r.partition, 0)]
        if not fresh:
            return
        if counts := count_records(fresh):
            await self._store.add_feedback_counts(tx, counts)
        ends: dict[int, int] = {}
        for record in fresh:
            ends[record.partition] = max(record.offset + 1, ends.get(record.partition, 0))
        await self._store.save_feedback_offsets(tx, ends)


def count_records(records: Sequence[RawRecord]) -> dict[AgentHour, HourlyCounts]:
    """The records counted per tenant, agent and hour of arrival."""
    counts: dict[AgentHour, HourlyCounts] = {}
    for record in records:
        body = _body(record)
        tenant_id = _identifier_in(body, "tenant_id", "default")
        agent_id = _identifier_in(body, "agent_id", None)
        headers = dict(record.headers)
        if tenant_id is None or agent_id is None or _is_internal_traffic(headers, body):
            continue
        hour = start_of_hour(record_time(record.timestamp))
        entry = counts.setdefault((tenant_id, agent_id, hour), HourlyCounts(hour=hour))
        entry.count(EVENT_NAMES.get(headers.get("ce_type") or b"", ""), body)
    return counts


def _identifier_in(body: Mapping[str, Any], name: str, absent: str | None) -> str | None:
    try:
        return _identifier.validate_python(body.get(name, absent))
    except ValidationError:
        return None


def _is_internal_traffic(headers: Mapping[str, bytes | None], body: Mapping[str, Any]) -> bool:
    """Whether it is internal traffic; a traffic class that is none is not counted either."""
    subject = body.get("interaction_id") or body.get("item_id")
    try:
        traffic_class = TrafficClass(body.get("traffic_class") or TrafficClass.PRODUCTION)
        return detect_internal_traffic(headers, traffic_class, str(subject or "")) is not None
    except ValueError:
        return True


def _body(record: RawRecord) -> dict[str, Any]:
    try:
        body = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
