"""Counters of what a transaction stored, published so that nobody counts the topic again.

Only the transaction that stores an event knows whether it is new, so it keeps its counters with it.
Counters of many transactions are added up before they are published: a message per agent and
transaction would cost the relay, Kafka and the gateway more than the feedback itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson

from archon_contracts.events import FeedbackCounted, FeedbackCounts
from archon_contracts.latency_buckets import bucket_of
from services.coordinator.domain import AgentKey
from services.coordinator.feedback.records import FeedbackRow, InteractionRow, RetractionRow
from services.coordinator.feedback.stats import ANNOTATION, NewIds

R = TypeVar("R", FeedbackRow, InteractionRow)


@dataclass(slots=True)
class Counters:
    """What is counted of one agent and model version; names are those of `FeedbackCounts`."""

    feedback: int = 0
    scored: int = 0
    outcome_sum: float = 0.0
    outcome_squares: float = 0.0
    weighted: int = 0
    weight_sum: float = 0.0
    weight_squares: float = 0.0
    weighted_sum: float = 0.0
    weighted_products: float = 0.0
    weighted_squares: float = 0.0
    corrected: int = 0
    rated: int = 0
    rating_sum: float = 0.0
    rewarded: int = 0
    reward_sum: float = 0.0
    by_source: dict[str, int] = field(default_factory=dict)
    retracted: int = 0
    annotations: int = 0
    interactions: int = 0
    failed: int = 0
    latencies: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0

    def fields(self) -> dict[str, Any]:
        """The counters by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    def changed_fields(self) -> dict[str, Any]:
        """The counters that are not zero, by name."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name))}

    def add(self, fields: Mapping[str, Any]) -> None:
        """Add counters by name."""
        for name, value in fields.items():
            if isinstance(value, dict):
                counts: dict[str, int] = getattr(self, name)
                for key, count in value.items():
                    counts[key] = counts.get(key, 0) + count
            else:
                setattr(self, name, getattr(self, name) + value)


MAX_WEIGHT: Final = 100.0
"""Truncated importance weights, Ionides (2008), JCGS 17(2): a sender who states a propensity of
nearly 0 would else be the whole mean."""
MAX_COUNTS_BYTES: Final = 500_000
"""Of one event, as JSON. Kafka takes records up to 1 MB, and whoever names another model version
with each event would have the counts of all the others refused with theirs."""


class CountTotals:
    """Sums of what transactions counted, per agent, hour and model version."""

    def __init__(self) -> None:
        self._totals: dict[tuple[AgentKey, datetime, str | None, str | None], Counters] = {}

    def add(self, encoded: bytes) -> None:
        """Add what `FeedbackCounter.encode` gave for one transaction."""
        counted = orjson.loads(encoded)
        hour = datetime.fromisoformat(counted["hour"])
        # Counters that an earlier release left to be published name no digest.
        for tenant_id, agent_id, version, fields, *digest in counted["counters"]:
            named = digest[0] if digest else None
            place = AgentKey(tenant_id, agent_id), hour, version, named
            self._totals.setdefault(place, Counters()).add(fields)

    def agents(self) -> set[AgentKey]:
        """The agents of which anything was counted."""
        return {key for key, *_ in self._totals}

    def batches(
        self, unused: Mapping[AgentKey, tuple[int, datetime]]
    ) -> Iterator[list[FeedbackCounted]]:
        """Events of at most `MAX_COUNTS_BYTES`, one per agent in a batch; mostly in one batch.

        Each says how much feedback of its agent is in no window, as `unused` has it.
        """
        parts: dict[AgentKey, list[list[FeedbackCounts]]] = {}
        sizes: dict[AgentKey, int] = {}
        for (key, hour, version, digest), counters in self._totals.items():
            counts = FeedbackCounts(
                hour=hour, model_version=version, model_digest=digest, **counters.fields()
            )
            size = len(counts.model_dump_json())
            own = parts.setdefault(key, [[]])
            sizes[key] = sizes.get(key, 0) + size
            if own[-1] and sizes[key] > MAX_COUNTS_BYTES:
                own.append([])
                sizes[key] = size
            own[-1].append(counts)
        for number in range(max(map(len, parts.values()), default=0)):
            yield [
                FeedbackCounted(
                    tenant_id=key.tenant_id,
                    agent_id=key.agent_id,
                    counts=tuple(own[number]),
                    unused=unused[key][0] if key in unused else None,
                    unused_at=unused[key][1] if key in unused else None,
                )
                for key, own in parts.items()
                if number < len(own)
            ]


class FeedbackCounter:
    """Counts what one transaction stored; the hour is that of its arrival."""

    def __init__(self, received_at: datetime) -> None:
        self._hour = received_at.replace(minute=0, second=0, microsecond=0)
        self._counters: dict[tuple[AgentKey, str | None, str | None], Counters] = {}

    def encode(self) -> bytes:
        """What was counted, as `CountTotals` reads it; empty when nothing was."""
        if not self._counters:
            return b""
        counters = [
            (*key, version, counted.changed_fields(), digest)
            for (key, version, digest), counted in self._counters.items()
        ]
        # A key of `by_source` may be a member of an enum.
        option = orjson.OPT_NON_STR_KEYS
        return orjson.dumps({"hour": self._hour, "counters": counters}, option=option)

    def add_feedback(self, rows: Sequence[FeedbackRow], new_ids: NewIds | None) -> None:
        """Count rows of an insert; without `new_ids` all of them were new."""
        for row in self._new(rows, new_ids):
            counters = self._of(row.key, row.model_version, row.model_digest)
            if row.source == ANNOTATION:
                counters.annotations += 1
            else:
                _count_feedback(counters, row)

    def add_interactions(self, rows: Sequence[InteractionRow], new_ids: NewIds | None) -> None:
        """Count rows of an insert; without `new_ids` all of them were new."""
        for row in self._new(rows, new_ids):
            counters = self._of(row.key, row.model_version, row.model_digest)
            counters.interactions += 1
            counters.failed += row.failed
            if row.latency_seconds is not None:
                bucket = str(bucket_of(row.latency_seconds))
                counters.latencies[bucket] = counters.latencies.get(bucket, 0) + 1

    def add_retraction(self, row: RetractionRow, *, is_new: bool) -> None:
        """Count a retraction."""
        counters = self._of(row.key, None)
        counters.retracted += is_new
        counters.duplicates += not is_new

    def _new(self, rows: Sequence[R], new_ids: NewIds | None) -> Sequence[R]:
        """The rows that were new; of an id that comes twice in a batch, the first one is."""
        if new_ids is None:
            return rows
        left, new = set(new_ids), list[R]()
        for row in rows:
            name = (row.key.tenant_id, row.event_id)
            if name in left:
                left.discard(name)
                new.append(row)
            else:
                self._of(row.key, row.model_version, row.model_digest).duplicates += 1
        return new

    def _of(self, key: AgentKey, version: str | None, digest: str | None = None) -> Counters:
        counters = self._counters.get((key, version, digest))
        if counters is None:
            counters = self._counters[key, version, digest] = Counters()
        return counters


def _count_feedback(counters: Counters, row: FeedbackRow) -> None:
    counters.feedback += 1
    if row.outcome is not None:
        counters.scored += 1
        counters.outcome_sum += row.outcome
        counters.outcome_squares += row.outcome * row.outcome
        if row.feedback_propensity is not None:
            _add_weighted(counters, row.outcome, row.feedback_propensity)
    counters.corrected += row.corrected
    counters.by_source[row.source] = counters.by_source.get(row.source, 0) + 1
    if row.rating is not None:
        counters.rated += 1
        counters.rating_sum += row.rating
    if row.reward is not None:
        counters.rewarded += 1
        counters.reward_sum += row.reward


def _add_weighted(counters: Counters, outcome: float, propensity: float) -> None:
    """Count an outcome by the inverse of the probability with which feedback was asked for."""
    weight = min(1 / propensity, MAX_WEIGHT)
    counters.weighted += 1
    counters.weight_sum += weight
    counters.weight_squares += weight * weight
    counters.weighted_sum += weight * outcome
    counters.weighted_products += weight * weight * outcome
    counters.weighted_squares += weight * weight * outcome * outcome
