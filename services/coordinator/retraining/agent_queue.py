"""Per-agent job queue: one job at a time, a requested one before a triggered one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from archon_contracts.events import JobState, TriggerReason
from archon_contracts.identifiers import new_id
from archon_contracts.triggers import ObservedAnswer
from archon_contracts.values import TrainingMethod
from services.coordinator.domain import (
    AgentKey,
    ConfiguredAgent,
    Job,
    JobFacts,
    Window,
    derive_job_id,
    merge_config,
)
from services.coordinator.errors import UnknownAgent
from services.coordinator.feedback.stats import FeedbackStats
from services.coordinator.jobs.dispatcher import CommandDispatcher
from services.coordinator.jobs.ports import Outbox
from services.coordinator.jobs.spans import build_trigger_context, build_triggered_trace
from services.coordinator.jobs.state_machine import JobEvent
from services.coordinator.jobs.transitions import JobTransitions
from services.coordinator.retraining.awaited_feedback import AwaitedFeedback
from services.coordinator.retraining.fast_path import UPDATE_PLAN, FastPath
from services.coordinator.retraining.policies import (
    MAX_REASON,
    AnswerStreams,
    PolicyCache,
    decide_what_to_learn,
    report_parked,
)
from services.coordinator.retraining.ports import RequestedJobs, StatsStore
from services.coordinator.retraining.starting_models import StartingModels
from services.coordinator.retraining.triggers import TriggerDecision, may_withdraw
from services.coordinator.retraining.windows import Windows, add_window_facts, cause_of_window
from services.coordinator.retraining.withdrawals import Withdrawals
from shared.errors import PermanentError, RetryableError
from shared.messaging.messages import Cause
from shared.ports import Clock
from shared.postgres.database import Tx

POSTPONEMENT: Final = timedelta(hours=1)
"""Until an agent that could not be considered is looked at again."""


class AgentQueue:
    """Begins jobs. The caller holds the lock of the agent's statistics, or takes it here."""

    def __init__(
        self,
        stats_store: StatsStore,
        requests: RequestedJobs,
        awaited_feedback: AwaitedFeedback,
        windows: Windows,
        fast_path: FastPath,
        withdrawals: Withdrawals,
        transitions: JobTransitions,
        dispatcher: CommandDispatcher,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._awaited_feedback = awaited_feedback
        self._outbox = outbox
        self._fast_path = fast_path
        self._withdrawals = withdrawals
        self._stats_store = stats_store
        self._requests = requests
        self._starting_models = StartingModels(requests)
        self._windows = windows
        self._transitions = transitions
        self._dispatcher = dispatcher
        self._clock = clock
        self._policies = PolicyCache(stats_store, requests)
        self._streams = AnswerStreams(stats_store, self._policies, clock)
        self._parked: dict[AgentKey, tuple[int, datetime]] = {}  # a restart tries once more

    async def submit(self, tx: Tx, job: Job, cause: Cause, *, reason: str) -> bool:
        """Keep a job that was asked for; it begins when its agent is known and free.

        False when there is one of this id.
        """
        opened = await self._transitions.open(tx, job, cause, reason=reason)
        if opened:
            await self.start_next(tx, job.key, cause)
        return opened

    async def start_next(self, tx: Tx, key: AgentKey, cause: Cause) -> None:
        """Begin the next job of an agent that is known and free."""
        stats = await self._stats_store.lock_stats(tx, key)
        if stats is None or stats.busy:
            return
        # A job that has nothing to learn from ends at once; the next one gets its place.
        while (job := await self._requests.lock_next_requested(tx, key)) is not None:
            if await self._awaited_feedback.must_wait(tx, job):
                return
            if await self._begin(tx, job, stats, cause):
                return
        if stats.awaits_feedback:
            await self._awaited_feedback.stop_waiting(tx, key)
        await self.evaluate_trigger(tx, replace(stats, awaits_feedback=False))

    async def end_feedback_wait(self, tx: Tx, job: Job, cause: Cause) -> str:
        """Why a job fails that waited for its feedback; empty: it waits on, or has begun."""
        await self._stats_store.lock_stats(tx, job.key)
        reason = await self._awaited_feedback.end(tx, job)
        if not reason:
            await self.start_next(tx, job.key, cause)
        return reason

    async def release(
        self, tx: Tx, job: Job, cause: Cause, *, returned: int = 0, was_learnt: bool = False
    ) -> None:
        """The job is over: its agent is free for the next one, perhaps after a backoff.

        Feedback that it gave back counts as unused, and would begin the same job at once. A window
        that updates of the fast path had learnt before delays nobody: nothing went wrong.
        """
        await self._streams.record_training(tx, job)
        if returned or (job.was_unsuccessful and not was_learnt):
            await self._stats_store.count_unsuccessful_run(tx, job.key, self._clock.now())
        if job.is_refused_update and job.is_withdrawal:
            await self._withdrawals.delay_next_try(tx, await self._agent(tx, job.key))
        elif job.is_refused_update:
            await self._fast_path.record_end(tx, job.key, deployed=False)
        # Before the next one starts: an agent that is still busy would not begin it.
        await self._stats_store.clear_open_job(tx, job.key, job.job_id)
        await self.start_next(tx, job.key, cause)

    async def lock_feedback(self, tx: Tx, key: AgentKey) -> None:
        """Wait for retractions that are being stored; later ones wait for this transaction.

        So each is before or after what the transaction commands, as its time says.
        """
        await self._stats_store.lock_stats(tx, key)

    async def record_deployment(
        self, tx: Tx, key: AgentKey, version: str, *, by_hand: bool
    ) -> None:
        """A version was deployed: earlier unsuccessful runs no longer delay the next retrain."""
        await self._streams.begin_version(tx, key, version)
        await self._stats_store.reset_unsuccessful_runs(tx, key)
        await self._fast_path.record_end(tx, key, deployed=True)
        await self._withdrawals.recheck(tx, key, by_hand=by_hand)

    async def record_rollback(self, tx: Tx, key: AgentKey, version: str) -> None:
        """An earlier version is deployed again; it may hold what was retracted since."""
        await self._streams.begin_version(tx, key, version)
        await self._withdrawals.recheck(tx, key, by_hand=True)

    async def record_withdrawal_end(self, tx: Tx, job: Job, *, hopeless: bool) -> None:
        """A withdrawal job is over. `hopeless`: another try could not end otherwise."""
        await self._stats_store.lock_stats(tx, job.key)
        await self._withdrawals.record_end(tx, job, hopeless=hopeless)

    async def evaluate_withdrawal(self, tx: Tx, stats: FeedbackStats) -> None:
        """Feedback was retracted and none came: begin a withdrawal, but never a retrain.

        A retraction changes a mean rating without new evidence.
        """
        await self._evaluate(tx, stats, retrains=False)

    async def evaluate_triggers(
        self,
        tx: Tx,
        changed: Sequence[FeedbackStats],
        answers: Mapping[AgentKey, Sequence[ObservedAnswer]],
    ) -> None:
        """Evaluate the trigger of each agent of a batch that added these rated answers.

        Raises:
            RetryableError: see `evaluate_trigger`.
        """
        await self._policies.read_ahead(tx, changed)
        for stats in changed:
            key = AgentKey(stats.tenant_id, stats.agent_id)
            seen = await self._streams.observe(tx, stats, answers.get(key, ()))
            await self.evaluate_trigger(tx, seen)

    async def evaluate_trigger(self, tx: Tx, stats: FeedbackStats) -> None:
        """Begin a retrain if the agent's policy wants one now. Constant time while it does not.

        The transaction is that of other agents too, so an error of this agent parks it alone: its
        feedback stays stored, and it is evaluated again after `POSTPONEMENT` or a new profile.

        Raises:
            RetryableError: the database is away, or the transaction met another one.
        """
        await self._evaluate(tx, stats, retrains=True)

    async def _evaluate(self, tx: Tx, stats: FeedbackStats, *, retrains: bool) -> None:
        key, now = AgentKey(stats.tenant_id, stats.agent_id), self._clock.now()
        try:
            if stats.awaits_feedback and self._parked_until(stats, now) is None:
                # The requested job comes first, and needs all that a window would claim now.
                async with self._stats_store.savepoint(tx):
                    await self.start_next(tx, key, Cause(new_id(), ""))
                return
            decision = await self._begin_due(tx, key, stats, now, retrains=retrains)
        except RetryableError:
            # The fault is not the agent's: the message comes again, and with it this evaluation.
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it is this agent's alone
            self._parked[key] = (stats.profile_revision, now + POSTPONEMENT)
            await self._publish_parked(tx, key, error, now)
            decision = TriggerDecision(check_at=now + POSTPONEMENT)
        # Mostly nothing changes: no write then for each batch of feedback.
        if decision is not None and decision.check_at != stats.check_at:
            await self._stats_store.set_check(tx, key, decision.check_at)

    async def _begin_due(
        self, tx: Tx, key: AgentKey, stats: FeedbackStats, now: datetime, *, retrains: bool
    ) -> TriggerDecision | None:
        """Begin what is due; None when something began, otherwise when to look again."""
        decision = await self._decide(tx, key, stats, now)
        if decision.withdrawal:
            async with self._stats_store.savepoint(tx):
                left = await self._withdraw(tx, key, stats)
            if left is None:
                return None
            # Nothing is to be withdrawn now: what else is due?
            stats = left
            decision = await self._decide(tx, key, stats, now)
        if not retrains:
            decision = decision.without_start(stats.check_at)
        # An error of this agent must undo its half-made job and nothing of the others.
        if decision.reason is not None:
            async with self._stats_store.savepoint(tx):
                await self._retrain(tx, key, stats, decision)
            return None
        if decision.update:
            async with self._stats_store.savepoint(tx):
                if await self._update(tx, key, stats):
                    return None
        return decision

    async def lock_next_due(self, tx: Tx, now: datetime) -> FeedbackStats | None:
        """The statistics of an agent that is due to be looked at again, locked."""
        return await self._stats_store.lock_due_stats(tx, now)

    async def postpone(self, tx: Tx, key: AgentKey, now: datetime, error: Exception) -> None:
        """Look at an agent later that could not be considered and is still due."""
        stats = await self._stats_store.lock_stats(tx, key)
        if stats is not None and stats.check_at is not None and stats.check_at <= now:
            await self._stats_store.set_check(tx, key, now + POSTPONEMENT)
            await self._publish_parked(tx, key, error, now)

    async def _publish_parked(self, tx: Tx, key: AgentKey, error: Exception, now: datetime) -> None:
        """Log, count and publish that an agent could not be evaluated; others go on."""
        parked = report_parked(key, error, now + POSTPONEMENT)
        cause_id = new_id()
        await self._outbox.append(tx, parked, cause=Cause(cause_id, str(cause_id)))

    async def _decide(
        self, tx: Tx, key: AgentKey, stats: FeedbackStats, now: datetime
    ) -> TriggerDecision:
        if (until := self._parked_until(stats, now)) is not None:
            return TriggerDecision(check_at=until)
        policies = await self._policies.read(tx, key, stats)
        if not may_withdraw(stats, policies.trigger):
            return decide_what_to_learn(stats, policies, now)
        # Not the cooldown of windows, nor a backoff of windows or updates: somebody's refused
        # corrections must not keep data in service that its owner withdrew.
        waits_until = stats.withdrawals_wait_until
        if waits_until is None or waits_until <= now:
            return TriggerDecision(withdrawal=True)
        return decide_what_to_learn(stats, policies, now).check_by(waits_until)

    def _parked_until(self, stats: FeedbackStats, now: datetime) -> datetime | None:
        """Until when the agent is not considered; None: it is, or has a new profile."""
        key = AgentKey(stats.tenant_id, stats.agent_id)
        revision, until = self._parked.get(key, (0, now))
        return until if revision == stats.profile_revision and now < until else None

    async def _agent(self, tx: Tx, key: AgentKey) -> ConfiguredAgent:
        agent = await self._requests.find_agent(tx, key)
        if agent is None:
            raise UnknownAgent(f"agent {key.agent_id} is not configured; configure it first")
        return agent

    async def _retrain(
        self, tx: Tx, key: AgentKey, stats: FeedbackStats, decision: TriggerDecision
    ) -> None:
        agent, reason = await self._agent(tx, key), decision.reason
        assert reason is not None  # only a decision with a reason begins a retrain
        policy = agent.profile.trigger
        window = await self._windows.claim(tx, stats, reason, policy.maximum_feedback)
        await self._streams.begin_window(tx, stats, policy, window.claim, by_trigger=True)
        why = decision.explanation
        job = await self._open(tx, agent, window, requested_by=f"trigger {reason}", why=why)
        await self._start(tx, job, cause_of_window(window, job))

    async def _update(self, tx: Tx, key: AgentKey, stats: FeedbackStats) -> bool:
        """Begin an update of the fast path; False when there is nothing that it may learn."""
        agent = await self._agent(tx, key)
        window = await self._fast_path.claim(tx, agent, stats)
        if window is None:
            return False
        job = await self._open(tx, agent, window, requested_by="fast path", fast_path=True)
        await self._start(tx, job, cause_of_window(window, job))
        return True

    async def _withdraw(self, tx: Tx, key: AgentKey, stats: FeedbackStats) -> FeedbackStats | None:
        """Begin a withdrawal; where none is needed, or one must wait, the statistics without it."""
        opened = await self._withdrawals.open(tx, await self._agent(tx, key), stats)
        if (job := opened.job) is not None:
            await self._start(tx, job, Cause(job.job_id, str(job.job_id)))
            return None
        if opened.waits_until is None:
            return replace(stats, withdrawals=0, withdrawals_wait_until=None)
        return replace(stats, withdrawals_wait_until=opened.waits_until)

    async def _open(
        self,
        tx: Tx,
        agent: ConfiguredAgent,
        window: Window,
        *,
        requested_by: str,
        fast_path: bool = False,
        why: str = "",
    ) -> Job:
        """A new job that learns from the window, published and not started."""
        key, now = agent.key, self._clock.now()
        job_id = derive_job_id(window.window_id)
        context = build_trigger_context(job_id, window.claim.completed_by)
        await self._windows.write_trigger_span(tx, window, context, now)
        job = Job(
            job_id=job_id,
            key=key,
            state=JobState.REQUESTED,
            # Without a deployed version there is nothing to continue from.
            method=TrainingMethod.CONTINUAL if agent.deployed else TrainingMethod.SUPERVISED,
            config=agent.profile.training,
            trace=build_triggered_trace(job_id, context),
            created_at=now,
            state_since=now,
            priority=agent.profile.priority,
            requested_by=requested_by,
            facts=add_window_facts(
                JobFacts(warm_start=agent.deployed, plan=UPDATE_PLAN if fast_path else None),
                window,
                fast_path=fast_path,
            ),
        )
        cause = cause_of_window(window, job)
        begun_by = "fast path" if fast_path else window.reason
        text = f"{begun_by}: {window.claim.feedback_count} new feedback"
        if why:
            text = f"{text}; {why}"[:MAX_REASON]
        await self._transitions.open(tx, job, cause, reason=text)
        await self._windows.publish_claim(tx, job, window, cause)
        return job

    async def _begin(self, tx: Tx, job: Job, stats: FeedbackStats, cause: Cause) -> bool:
        """Begin a requested job; False when it has nothing to learn from, and is over."""
        agent = await self._agent(tx, job.key)
        try:
            facts = await self._first_facts(tx, job, agent, stats, cause)
        except PermanentError as error:
            # The requester gets the reason as the job's end; the queue goes on.
            await self._transitions.apply(tx, job, JobEvent.GAVE_UP, cause, reason=str(error))
            return False
        config = merge_config(agent.profile.training, job.config)
        prepared = job.prepared(config, facts, agent.profile.priority)
        await self._start(tx, prepared, cause)
        return True

    async def _first_facts(
        self, tx: Tx, job: Job, agent: ConfiguredAgent, stats: FeedbackStats, cause: Cause
    ) -> JobFacts:
        facts = await self._starting_models.choose(tx, job, agent)
        if facts.provided_dataset is not None:
            return facts  # read later, as leased work: the statistics are locked now
        policy = agent.profile.trigger
        window = await self._windows.claim(tx, stats, TriggerReason.MANUAL, policy.maximum_feedback)
        await self._streams.begin_window(tx, stats, policy, window.claim, by_trigger=False)
        await self._windows.publish_claim(tx, job, window, cause)
        return add_window_facts(facts, window)

    async def _start(self, tx: Tx, job: Job, cause: Cause) -> None:
        await self._stats_store.set_open_job(tx, job.key, job.job_id)
        started = JobEvent.UPDATE_STARTED if job.is_update else JobEvent.STARTED
        moved = await self._transitions.apply(tx, job, started, cause)
        if moved is not None:
            await self._dispatcher.dispatch(tx, moved, cause)
