"""Withdrawals: retracted feedback leaves the deployed version, without anybody asking for it.

What lies in the sums of a closed form alone is subtracted, on the fast path. What an encoder or a
generator was trained on cannot be: a training from the base model on all that is remembered, which
no longer holds it, follows (decision 85).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from archon_contracts.events import FeedbackWithdrawn, JobState
from archon_contracts.identifiers import derived_id, new_id
from archon_contracts.values import AgentProfile, RetentionStrategy, TrainingMethod
from services.coordinator.domain import (
    AgentKey,
    ConfiguredAgent,
    Job,
    JobFacts,
    TrainedVersion,
    WithdrawalFacts,
    WithdrawnItem,
)
from services.coordinator.feedback.stats import FeedbackStats
from services.coordinator.jobs.ports import Outbox
from services.coordinator.jobs.spans import build_requested_trace
from services.coordinator.jobs.transitions import JobTransitions
from services.coordinator.retraining.fast_path import CLOSED_FORM_KINDS, UPDATE_PLAN
from services.coordinator.retraining.ports import WithdrawalRecords
from shared.messaging.messages import Cause
from shared.ports import Clock
from shared.postgres.database import Tx

MAX_TRIES: Final = 3
"""Jobs that try to withdraw an item: what fails so often waits for a person, or a deployment."""
TRAINING_PAUSE: Final = timedelta(hours=1)
"""Between two trainings from the base model: else whoever retracts items one by one would keep the
agent, and a training slot, occupied. What is retracted meanwhile is left out by the next one."""
LOOKED_AT: Final = 5_000
"""Newest retracted items considered at once: a bound on what one look costs."""


@dataclass(frozen=True, slots=True)
class HeldItems:
    """Retracted items that a version may hold: in its sums alone, or in trained weights."""

    in_sums: frozenset[UUID] = frozenset()
    in_weights: frozenset[UUID] = frozenset()

    @property
    def items(self) -> frozenset[UUID]:
        """All of them."""
        return self.in_sums | self.in_weights


def trace_held_items(
    versions: Sequence[TrainedVersion], items: Sequence[WithdrawnItem]
) -> dict[str, HeldItems]:
    """What each version may hold of the items, followed from each version to those after it."""
    # By holder: an agent may have thousands of versions, and of items, and is locked meanwhile.
    withdrawn_at = {item.event_id: item.withdrawn_at for item in items}
    learnt_from: defaultdict[UUID | None, set[UUID]] = defaultdict(set)
    for item in items:
        for holder in item.holders:
            learnt_from[holder].add(item.event_id)
    known: dict[str, HeldItems] = {}
    for each in sorted(versions, key=lambda version: version.prepared_at):
        before = known.get(each.parent or "", HeldItems())
        taught = frozenset(
            event_id
            for event_id in before.items | learnt_from.get(each.holder, set())
            if withdrawn_at[event_id] > each.prepared_at
        )
        if not each.is_closed_form:
            # Weights that are trained on keep what they were trained on before.
            inherited = frozenset() if each.is_from_base else before.items
            known[each.version] = HeldItems(in_weights=taught | inherited)
        elif each.is_from_base:
            known[each.version] = HeldItems(in_sums=taught)
        else:
            known[each.version] = HeldItems(taught - before.in_weights, before.in_weights)
    return known


def can_subtract(profile: AgentProfile) -> bool:
    """Whether a version without some items can be made and evaluated on the fast path."""
    return profile.kind in CLOSED_FORM_KINDS and profile.evaluation_suite is not None


def choose_items(
    profile: AgentProfile, deployed: HeldItems, items: Sequence[WithdrawnItem]
) -> tuple[frozenset[UUID], bool]:
    """The items of the next withdrawal, and whether they are subtracted; none: nothing to do.

    A subtraction takes seconds, so it comes before a training.
    """
    open_ones = {item.event_id for item in items if item.tries < MAX_TRIES}
    if can_subtract(profile) and (subtracted := deployed.in_sums & open_ones):
        return subtracted, True
    # Without a suite a closed form's next version subtracts them, whatever it learns.
    in_weights = deployed.in_weights & open_ones
    return in_weights, False


def training_allowed_at(versions: Sequence[TrainedVersion]) -> datetime | None:
    """When the next withdrawal may train from the base model; None: at any time."""
    trained = [each.prepared_at for each in versions if each.is_withdrawal and each.is_from_base]
    return max(trained) + TRAINING_PAUSE if trained else None


@dataclass(frozen=True, slots=True)
class Opened:
    """The withdrawal that begins; or none, and the time until which a needed one waits."""

    job: Job | None = None
    waits_until: datetime | None = None


class Withdrawals:
    """Opens withdrawal jobs. The caller holds the lock of the agent's statistics."""

    def __init__(
        self,
        records: WithdrawalRecords,
        transitions: JobTransitions,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._records = records
        self._transitions = transitions
        self._outbox = outbox
        self._clock = clock

    async def open(self, tx: Tx, agent: ConfiguredAgent, stats: FeedbackStats) -> Opened:
        """Open the agent's next withdrawal; none where the deployed version needs none.

        Either way, which versions are affected is published.
        """
        items = await self._records.withdrawn_items(tx, agent.key, most=LOOKED_AT)
        versions = await self._records.trained_versions(tx, agent.key)
        held_items = trace_held_items(versions, items)
        deployed = (
            held_items.get(agent.deployed.version, HeldItems()) if agent.deployed else HeldItems()
        )
        chosen, subtracted = choose_items(agent.profile, deployed, items)
        allowed_at = None if subtracted or not chosen else training_allowed_at(versions)
        if allowed_at is not None and allowed_at > self._clock.now():
            await self._publish(tx, agent, held_items, deployed, None, waits_until=allowed_at)
            await self._records.delay_withdrawals(tx, agent.key, allowed_at)
            return Opened(waits_until=allowed_at)
        job = self._build_job(agent, stats, len(chosen), subtracted=subtracted) if chosen else None
        await self._publish(tx, agent, held_items, deployed, job)
        if job is None:
            await self._records.set_withdrawals(tx, agent.key, 0)
            return Opened()
        await self._records.count_try(tx, agent.key, sorted(chosen), stats.updates + 1)
        cause = Cause(job.job_id, str(job.job_id))
        text = f"withdrawal: {_describe(job)}"
        await self._transitions.open(tx, job, cause, reason=text)
        return Opened(job)

    async def record_end(self, tx: Tx, job: Job, *, hopeless: bool) -> None:
        """A withdrawal job is over: what another try cannot help is not tried again by itself."""
        awaits_review = job.state is JobState.COMPLETED and bool(job.review_reasons)
        if hopeless or awaits_review or job.state is JobState.CANCELLED:
            await self._records.give_up_tried(tx, job.key, MAX_TRIES)

    async def delay_next_try(self, tx: Tx, agent: ConfiguredAgent) -> None:
        """A withdrawal gave no version: what it tried waits, and what is retracted now does not.

        Always for the same time: there are `MAX_TRIES`.
        """
        pause = timedelta(seconds=agent.profile.fast_path.backoff_seconds)
        await self._records.delay_withdrawals(tx, agent.key, self._clock.now() + pause)

    async def recheck(self, tx: Tx, key: AgentKey, *, by_hand: bool) -> None:
        """Another version is deployed: look whether it holds retracted feedback.

        By hand anything may be deployed, so that what was given up is tried again.
        """
        if by_hand:
            await self._records.reset_tries(tx, key)
        await self._records.mark_withdrawals(tx, key)

    def _build_job(
        self, agent: ConfiguredAgent, stats: FeedbackStats, items: int, *, subtracted: bool
    ) -> Job:
        # Counted with the updates, so that no two jobs get one id.
        job_id = derived_id("withdrawal", *agent.key, stats.updates + 1)
        facts = JobFacts(withdrawal=WithdrawalFacts(items=items, subtracted=subtracted))
        changes = (
            {"warm_start": agent.deployed, "plan": UPDATE_PLAN}
            if subtracted
            else {"retention": RetentionStrategy.REHEARSAL}
        )
        now = self._clock.now()
        return Job(
            job_id=job_id,
            key=agent.key,
            state=JobState.REQUESTED,
            method=TrainingMethod.CONTINUAL,
            config=agent.profile.training,
            trace=build_requested_trace(job_id),
            created_at=now,
            state_since=now,
            priority=agent.profile.priority,
            requested_by="withdrawal",
            facts=facts.model_copy(update=changes),
        )

    async def _publish(
        self,
        tx: Tx,
        agent: ConfiguredAgent,
        held_items: Mapping[str, HeldItems],
        deployed: HeldItems,
        job: Job | None,
        waits_until: datetime | None = None,
    ) -> None:
        reason = _describe(job) if job else ""
        if waits_until is not None:
            reason = (
                f"the deployed version may hold {len(deployed.items)} retracted items; a training "
                f"from the base model without them begins at {waits_until:%Y-%m-%d %H:%M} UTC, "
                "an hour after the one before"
            )
        elif job is None and deployed.items:
            reason = (
                f"the deployed version may hold {len(deployed.items)} retracted items, and no job "
                "is begun: a withdrawal failed, awaits a review, or its next version subtracts "
                "them; deploy a version without them, or request a training"
            )
        event = FeedbackWithdrawn(
            tenant_id=agent.key.tenant_id,
            agent_id=agent.key.agent_id,
            affected_versions={
                version: len(held.items) for version, held in held_items.items() if held.items
            },
            deployed=agent.deployed.version if agent.deployed else "",
            job_id=job.job_id if job else None,
            reason=reason,
        )
        cause_id = job.job_id if job else new_id()
        await self._outbox.append(tx, event, cause=Cause(cause_id, str(cause_id)))


def _describe(job: Job) -> str:
    withdrawal = job.facts.withdrawal
    assert withdrawal is not None, "only of withdrawals"
    how = (
        "subtracted from the deployed version's sums"
        if withdrawal.subtracted
        else "left out of a training from the base model"
    )
    return f"{withdrawal.items} retracted items are {how}"
