"""The fast path: corrections become a version at once, without waiting for a window.

An update borrows its feedback: the items stay unused and are new data of the next window as well,
which the slow path learns thoroughly. A version's sums hold each item once, so learning it on both
paths counts it once (see decision 75).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from archon_contracts.events import CurriculumPlan, TriggerReason
from archon_contracts.events.curriculum import CurriculumStage
from archon_contracts.identifiers import derived_id
from archon_contracts.rules.bounds import MAX_SECONDS
from archon_contracts.values import AgentKind, AgentProfile, FastPathPolicy
from services.coordinator.domain import AgentKey, ConfiguredAgent, Window, WindowClaim
from services.coordinator.feedback.stats import FeedbackStats, StoredFeedback
from services.coordinator.retraining.ports import Corrections
from shared.ports import Clock
from shared.postgres.database import Tx

LOOKED_AT: Final = 500
"""Corrections considered for one update: a bound on what one look costs."""
CLOSED_FORM_KINDS: Final = frozenset({AgentKind.CLASSIFIER, AgentKind.SELECTOR})
"""Kinds of agents whose versions can keep what they learnt in sums."""
MAX_DOUBLINGS: Final = 40
"""Of the backoff: beyond it any backoff is longer than any maximum."""

UPDATE_PLAN: Final = CurriculumPlan(
    level=1,
    stages=(CurriculumStage(name="all", maximum_difficulty=1.0, step_proportion=1.0),),
    # What was learnt before is in the version's sums: nothing need be shown again.
    replay_ratio=0.0,
    rationale="fast path: corrections are added to the sums of the deployed version",
)


@dataclass(frozen=True, slots=True)
class Correction:
    """A piece of feedback that says what should have been answered."""

    event_id: UUID
    rater: str
    received_at: datetime
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What an update takes, oldest first, and how many eligible ones wait for the next one."""

    taken: tuple[Correction, ...]
    waiting: int


def has_fast_path(profile: AgentProfile) -> bool:
    """Whether the agent's updates could be learnt and evaluated at all.

    Generators have no closed form; and without a suite the gate of one correction would have
    nothing to ask but the correction itself.
    """
    return (
        profile.kind in CLOSED_FORM_KINDS
        and profile.evaluation_suite is not None
        and profile.fast_path.enabled
        # Where nothing may begin by itself, neither may an update.
        and profile.trigger.enabled
    )


def backoff_until(stats: FeedbackStats, policy: FastPathPolicy, now: datetime) -> datetime:
    """When the next update may begin; `now` or earlier: it may."""
    if stats.last_refused_update_at is None or stats.refused_updates < 1:
        return now
    doublings = min(stats.refused_updates - 1, MAX_DOUBLINGS)
    seconds = min(policy.backoff_seconds * 2.0**doublings, policy.maximum_backoff_seconds)
    return stats.last_refused_update_at + timedelta(seconds=min(seconds, MAX_SECONDS))


def choose(
    corrections: Sequence[Correction], had: Mapping[str, int], policy: FastPathPolicy
) -> Choice:
    """The corrections of the next update: the newest first, within the limits of the period.

    What a rater or all raters together gave beyond a limit waits for a window: whoever may put one
    item into each of many small updates would otherwise escape the caps of a window.
    """
    given, eligible = Counter(had), list[Correction]()
    for each in corrections:
        if given.total() < policy.agent_items and given[each.rater] < policy.rater_items:
            given[each.rater] += 1
            eligible.append(each)
    taken = eligible[: policy.maximum_items]
    return Choice(tuple(reversed(taken)), len(eligible) - len(taken))


def read_correction(stored: StoredFeedback, traceparent: str | None) -> Correction | None:
    """The correction in a feedback event; None where it does not say the right answer."""
    body = orjson.loads(stored.body)
    if body.get("expected") in (None, "") or not body.get("input"):
        return None
    # A unit as its key names it: another key could else use up the limit of somebody else's unit.
    unit = body.get("unit_id")
    key = f"key:{stored.submitted_by}"
    rater = f"{unit} of {key}" if unit else key
    return Correction(stored.event_id, rater, stored.received_at, traceparent)


def derive_update_id(key: AgentKey, sequence: int) -> UUID:
    """The same update has the same id, whoever claims it."""
    return derived_id("update", key.tenant_id, key.agent_id, sequence)


class FastPath:
    """Claims updates. The caller holds the lock of the agent's statistics."""

    def __init__(self, corrections: Corrections, clock: Clock) -> None:
        self._corrections = corrections
        self._clock = clock

    async def claim(self, tx: Tx, agent: ConfiguredAgent, stats: FeedbackStats) -> Window | None:
        """The agent's next update as a window of its own; None where nothing can be learnt."""
        key, policy = agent.key, agent.profile.fast_path
        if agent.deployed is None or not has_fast_path(agent.profile):
            await self._record_nothing(tx, stats, key)
            return None
        now = self._clock.now()
        since = now - timedelta(seconds=policy.period_seconds)
        had = await self._corrections.items_of_raters(tx, key, since)
        if sum(had.values()) >= policy.agent_items:
            # Nothing is taken, so nothing is read: this runs with each batch of feedback.
            await self._record_nothing(tx, stats, key)
            return None
        open_ones = await self._corrections.open_corrections(tx, key, most=LOOKED_AT)
        read = [read_correction(*each) for each in open_ones]
        choice = choose([each for each in read if each is not None], had, policy)
        if not choice.taken:
            await self._record_nothing(tx, stats, key)
            return None
        sequence = stats.updates + 1
        update_id = derive_update_id(key, sequence)
        items = [(each.event_id, each.rater) for each in choice.taken]
        await self._corrections.claim_corrections(tx, key, update_id, items, now)
        await self._corrections.record_update(
            tx, key, sequence=sequence, corrections=choice.waiting
        )
        return Window(update_id, key, sequence, TriggerReason.COUNT, _claim(choice.taken))

    async def record_end(self, tx: Tx, key: AgentKey, *, deployed: bool) -> None:
        """An update ended after its training: with a deployed version, or refused."""
        if deployed:
            await self._corrections.reset_refused_updates(tx, key)
        else:
            await self._corrections.count_refused_update(tx, key, self._clock.now())

    async def _record_nothing(self, tx: Tx, stats: FeedbackStats, key: AgentKey) -> None:
        """Nothing may be learnt of what is there: look again when more comes."""
        await self._corrections.record_update(tx, key, sequence=stats.updates, corrections=0)


def _claim(taken: Sequence[Correction]) -> WindowClaim:
    ids = "\n".join(sorted(str(each.event_id) for each in taken))
    contexts = [each.traceparent for each in taken if each.traceparent]
    return WindowClaim(
        feedback_count=len(taken),
        feedback_digest=hashlib.sha256(ids.encode()).hexdigest(),
        # Ratings and the success rate are counted when a window claims the feedback.
        rated=0,
        rating_sum=0.0,
        labelled=0,
        success_rate=None,
        completed_by=contexts[-1] if contexts else None,
    )
