"""Whose turn it is: an agent runs one job at a time, a requested one before a triggered one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from archon_contracts.events import JobState, TriggerReason
from archon_contracts.values import TrainingMethod, TriggerPolicy
from services.coordinator.domain import (
    Agent,
    AgentKey,
    Job,
    JobFacts,
    Window,
    WindowFacts,
    job_id_of,
    merged_config,
)
from services.coordinator.errors import UnknownAgent
from services.coordinator.jobs.dispatcher import Orders
from services.coordinator.jobs.spans import trigger_place, triggered_trace
from services.coordinator.jobs.state_machine import JobEvent
from services.coordinator.jobs.transitions import Transitions
from services.coordinator.retraining.triggers import Tally, judge
from services.coordinator.retraining.windows import Windows
from shared.clock import Clock
from shared.errors import PermanentError
from shared.messaging.messages import Cause
from shared.postgres.database import Tx

PUT_OFF: Final = timedelta(hours=1)
"""Until an agent that could not be considered is looked at again."""


class Tallies(Protocol):
    """Tallies; each says whether its agent is busy."""

    async def lock_tally(self, tx: Tx, key: AgentKey) -> Tally | None: ...

    async def lock_due_tally(self, tx: Tx, now: datetime) -> Tally | None: ...

    async def set_check(self, tx: Tx, key: AgentKey, check_at: datetime | None) -> None: ...

    async def set_open_job(self, tx: Tx, key: AgentKey, job_id: UUID) -> None: ...

    async def clear_open_job(self, tx: Tx, key: AgentKey, job_id: UUID) -> None: ...

    async def count_refusal(self, tx: Tx, key: AgentKey, now: datetime) -> None: ...

    async def forget_refusals(self, tx: Tx, key: AgentKey) -> None: ...


class Requests(Protocol):
    """Agents, and the jobs that were asked for."""

    async def find_agent(self, tx: Tx, key: AgentKey) -> Agent | None: ...

    async def lock_next_requested(self, tx: Tx, key: AgentKey) -> Job | None: ...


class Turns:
    """Begins jobs. The agent's tally is locked all the while."""

    def __init__(
        self,
        tallies: Tallies,
        requests: Requests,
        windows: Windows,
        transitions: Transitions,
        orders: Orders,
        clock: Clock,
    ) -> None:
        self._tallies = tallies
        self._requests = requests
        self._windows = windows
        self._transitions = transitions
        self._orders = orders
        self._clock = clock
        self._policies: dict[AgentKey, tuple[int, TriggerPolicy]] = {}

    async def request(self, tx: Tx, job: Job, cause: Cause, *, reason: str) -> bool:
        """Keep a job that was asked for; it begins when its agent is known and free.

        False when there is one of this id.
        """
        opened = await self._transitions.open(tx, job, cause, reason=reason)
        if opened:
            await self.take(tx, job.key, cause)
        return opened

    async def take(self, tx: Tx, key: AgentKey, cause: Cause) -> None:
        """Begin the next job of an agent that is known and free."""
        tally = await self._tallies.lock_tally(tx, key)
        if tally is None or tally.busy:
            return
        while (job := await self._requests.lock_next_requested(tx, key)) is not None:
            if await self._begin(tx, job, tally, cause):
                return
        await self.consider(tx, tally)

    async def release(self, tx: Tx, job: Job, cause: Cause) -> None:
        """The job is over: its agent is free for the next one, perhaps after a rest."""
        if job.was_in_vain:
            await self._tallies.count_refusal(tx, job.key, self._clock.now())
        await self._tallies.clear_open_job(tx, job.key, job.job_id)
        await self.take(tx, job.key, cause)

    async def forget_refusals(self, tx: Tx, key: AgentKey) -> None:
        """A version went live: the agent's next retrain need not wait for those in vain."""
        await self._tallies.forget_refusals(tx, key)

    async def consider(self, tx: Tx, tally: Tally) -> None:
        """Begin a retrain if the agent's policy wants one now. Constant time while it does not."""
        key = AgentKey(tally.tenant_id, tally.agent_id)
        verdict = judge(tally, await self._policy(tx, key, tally), self._clock.now())
        if verdict.reason is not None:
            await self._retrain(tx, key, tally, verdict.reason)
        elif verdict.check_at != tally.check_at:
            await self._tallies.set_check(tx, key, verdict.check_at)

    async def next_due(self, tx: Tx, now: datetime) -> Tally | None:
        """The tally of an agent whose time to look again has come, locked."""
        return await self._tallies.lock_due_tally(tx, now)

    async def put_off(self, tx: Tx, key: AgentKey, now: datetime) -> None:
        """Look at an agent later that could not be considered and is still due."""
        tally = await self._tallies.lock_tally(tx, key)
        if tally is not None and tally.check_at is not None and tally.check_at <= now:
            await self._tallies.set_check(tx, key, now + PUT_OFF)

    async def _policy(self, tx: Tx, key: AgentKey, tally: Tally) -> TriggerPolicy:
        known = self._policies.get(key)
        if known is None or known[0] != tally.profile_revision:
            agent = await self._agent(tx, key)
            known = (tally.profile_revision, agent.profile.trigger)
            self._policies[key] = known
        return known[1]

    async def _agent(self, tx: Tx, key: AgentKey) -> Agent:
        agent = await self._requests.find_agent(tx, key)
        if agent is None:
            raise UnknownAgent(f"agent {key.agent_id} is not configured; configure it first")
        return agent

    async def _retrain(self, tx: Tx, key: AgentKey, tally: Tally, reason: TriggerReason) -> None:
        now = self._clock.now()
        agent = await self._agent(tx, key)
        maximum = agent.profile.trigger.maximum_feedback
        window = await self._windows.claim(tx, tally, reason, maximum)
        job_id = job_id_of(window.window_id)
        place = trigger_place(job_id, window.claim.completed_by)
        await self._windows.tell_trigger(tx, window, place, now)
        job = Job(
            job_id=job_id,
            key=key,
            state=JobState.REQUESTED,
            # Without a live version there is nothing to continue from.
            method=TrainingMethod.CONTINUAL if agent.live else TrainingMethod.SUPERVISED,
            config=agent.profile.training,
            trace=triggered_trace(job_id, place),
            created_at=now,
            state_since=now,
            priority=agent.profile.priority,
            requested_by=f"trigger {reason}",
            facts=window_facts(JobFacts(parent=agent.live), window),
        )
        cause = Cause(window.window_id, str(job_id), place.traceparent)
        text = f"{reason}: {window.claim.feedback_count} new judgements"
        await self._transitions.open(tx, job, cause, reason=text)
        await self._windows.tell_claim(tx, job, window, cause)
        await self._start(tx, job, cause)

    async def _begin(self, tx: Tx, job: Job, tally: Tally, cause: Cause) -> bool:
        """Begin a requested job; False when it has nothing to learn from, and is over."""
        agent = await self._agent(tx, job.key)
        try:
            facts = await self._first_facts(tx, job, agent, tally, cause)
        except PermanentError as error:
            await self._transitions.apply(tx, job, JobEvent.GAVE_UP, cause, reason=str(error))
            return False
        config = merged_config(agent.profile.training, job.config)
        prepared = job.prepared(config, facts, agent.profile.priority)
        await self._start(tx, prepared, cause)
        return True

    async def _first_facts(
        self, tx: Tx, job: Job, agent: Agent, tally: Tally, cause: Cause
    ) -> JobFacts:
        facts = job.facts.model_copy(update={"parent": agent.live})
        if facts.given is not None:
            source = await self._windows.given(facts.given)
            return facts.model_copy(update={"sources": (source,), "new_items": source.items})
        maximum = agent.profile.trigger.maximum_feedback
        window = await self._windows.claim(tx, tally, TriggerReason.MANUAL, maximum)
        await self._windows.tell_claim(tx, job, window, cause)
        return window_facts(facts, window)

    async def _start(self, tx: Tx, job: Job, cause: Cause) -> None:
        await self._tallies.set_open_job(tx, job.key, job.job_id)
        moved = await self._transitions.apply(tx, job, JobEvent.TURN_CAME, cause)
        if moved is not None:
            await self._orders.issue(tx, moved, cause)


def window_facts(facts: JobFacts, window: Window) -> JobFacts:
    """The facts of a job that learns from a window."""
    return facts.model_copy(
        update={
            "new_items": window.claim.feedback_count,
            "success_rate": window.claim.success_rate,
            "window": WindowFacts(
                window_id=window.window_id,
                reason=window.reason,
                feedback_count=window.claim.feedback_count,
                feedback_digest=window.claim.feedback_digest,
            ),
        }
    )
