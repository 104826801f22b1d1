"""What follows an event: the next state, its command, a slot, the agent's next job.

Locks are taken in one order, so that no two transactions wait for each other: a job, then its
agent's statistics, then the scheduler, then the head of the audit log.
"""

from __future__ import annotations

from archon_contracts.events import JobState
from archon_contracts.identifiers import derived_id
from services.coordinator.domain import Job, JobFacts
from services.coordinator.errors import FactMissing, UnknownAgent
from services.coordinator.jobs.deadlines import JobLimits
from services.coordinator.jobs.dispatcher import CommandDispatcher
from services.coordinator.jobs.escalation import (
    attempts_of_rung,
    choose_escalation,
    describe_escalation,
    escalate,
    replace_by_closed_form,
)
from services.coordinator.jobs.ports import ConfiguredAgents
from services.coordinator.jobs.state_machine import UNLEARNT_STATES, JobEvent, next_state
from services.coordinator.jobs.transitions import JobTransitions
from services.coordinator.retraining.agent_queue import AgentQueue
from services.coordinator.retraining.window_ends import WindowEnd, WindowEnds
from services.coordinator.scheduling.slots import SlotAllocator
from shared.messaging.messages import Cause
from shared.ports import Clock
from shared.postgres.database import Tx


class JobLifecycle:
    """Does what follows an event. The caller holds the job's lock."""

    def __init__(
        self,
        transitions: JobTransitions,
        dispatcher: CommandDispatcher,
        agent_queue: AgentQueue,
        slots: SlotAllocator,
        window_ends: WindowEnds,
        agents: ConfiguredAgents,
        limits: JobLimits,
        clock: Clock,
    ) -> None:
        self._transitions = transitions
        self._dispatcher = dispatcher
        self._agent_queue = agent_queue
        self._slots = slots
        self._window_ends = window_ends
        self._agents = agents
        self._clock = clock
        self._limits = limits

    async def advance(
        self,
        tx: Tx,
        job: Job,
        event: JobEvent,
        cause: Cause,
        *,
        reason: str = "",
        facts: JobFacts | None = None,
        data_at_fault: bool = False,
    ) -> None:
        """Make the event's transition and do what follows from it; nothing when it has none.

        A job that ends without a version gives its window's feedback back, in this transaction:
        a crash leaves both as they were. `data_at_fault`: trying the window again cannot help.
        """
        to_state, end = next_state(job.state, event), WindowEnd()
        if to_state in UNLEARNT_STATES:
            end = await self._window_ends.end_unlearnt(
                tx, job, cause, reason=reason, data_at_fault=data_at_fault
            )
            reason = end.explain(reason)
        if to_state is JobState.PREPARING:
            # What was retracted before this moment is not in the dataset.
            await self._agent_queue.lock_feedback(tx, job.key)
        moved = await self._transitions.apply(tx, job, event, cause, reason=reason, facts=facts)
        if moved is None:
            return
        if event is JobEvent.REVIEW_REQUESTED:
            await self._window_ends.await_review(tx, moved)
        if event is JobEvent.CANCELLED:
            await self._stop_what_runs(tx, job, cause, reason)
        if moved.state.is_final and moved.is_withdrawal:
            await self._agent_queue.record_withdrawal_end(tx, moved, hopeless=data_at_fault)
        if moved.state.is_final:
            await self._release_agent(tx, job, moved, cause, end)
        elif moved.state is not JobState.QUEUED:
            await self._dispatcher.dispatch(tx, moved, cause)
        if job.state is JobState.TRAINING or moved.state is JobState.QUEUED:
            await self._slots.fill(tx)

    async def resume(self, tx: Tx, job: Job, facts: JobFacts, cause: Cause) -> None:
        """Send the command of the job's state, which waited for these facts."""
        ready = await self._transitions.update_facts(tx, job, facts)
        await self._dispatcher.dispatch(tx, ready, cause)

    async def update_facts(self, tx: Tx, job: Job, facts: JobFacts) -> None:
        """The job's state goes on, and something new is known."""
        await self._transitions.update_facts(tx, job, facts)

    async def fill_slots(self, tx: Tx) -> bool:
        """Start queued jobs in slots that a crash may have left free; whether there was one."""
        return await self._slots.fill(tx)

    async def retry_training(self, tx: Tx, job: Job, cause: Cause, reason: str) -> None:
        """Queue the next attempt, or end the job after the last one."""
        attempts = attempts_of_rung(job)
        if attempts < self._limits.max_attempts:
            await self.advance(tx, job, JobEvent.ATTEMPT_LOST, cause, reason=reason)
        else:
            text = f"{reason} (attempt {attempts} of {self._limits.max_attempts})"
            await self.advance(tx, job, JobEvent.GAVE_UP, cause, reason=text)

    async def escalate_or_reject(
        self, tx: Tx, job: Job, cause: Cause, rejection_kinds: tuple[str, ...], *, reason: str
    ) -> None:
        """The gate refused: try the closed form, then the next stronger strategy on the same
        window, or end the job.

        `job` holds the evaluation that refused it. The decision and its transition are one
        transaction, so a crash finds the job before or after the escalation, never between.

        Raises:
            UnknownAgent: the job's agent is not configured.
            FactMissing: the job holds no evaluation.
        """
        agent, evaluation = await self._agents.find_agent(tx, job.key), job.facts.evaluation
        if agent is None:
            raise UnknownAgent(f"agent {job.key.agent_id} is not configured; configure it first")
        if evaluation is None:
            raise FactMissing("the job has no evaluation though its candidate is refused")
        facts = replace_by_closed_form(job, evaluation_id=evaluation.evaluation_id, reason=reason)
        if facts is not None:
            text = f"{reason}; the closed form of the same training takes its place"
            event = JobEvent.CLOSED_FORM_TAKEN
            await self.advance(tx, job, event, cause, reason=text, facts=facts)
            return
        policy = agent.profile.learning
        decision = choose_escalation(
            job, agent.profile.kind, policy, rejection_kinds, self._clock.now()
        )
        if decision.strategy is None:
            text = "; ".join(filter(None, (reason, decision.reason)))
            event, facts = JobEvent.GATE_REJECTED, job.facts
        else:
            text = f"{reason}; {describe_escalation(job, decision.strategy, policy)}"
            event = JobEvent.ESCALATED
            facts = escalate(
                job,
                decision.strategy,
                agent.deployed,
                evaluation_id=evaluation.evaluation_id,
                reason=reason,
            )
        await self.advance(tx, job, event, cause, reason=text, facts=facts)

    async def retry_command(self, tx: Tx, job: Job, cause: Cause, reason: str) -> None:
        """Send the state's command once more, or end the job after the last time."""
        if job.dispatches < self._limits.max_dispatches:
            again = await self._transitions.record_redispatch(tx, job)
            await self._dispatcher.dispatch(tx, again, cause)
        else:
            text = f"{reason} (try {job.dispatches} of {self._limits.max_dispatches})"
            await self.advance(tx, job, JobEvent.GAVE_UP, cause, reason=text)

    async def reevaluate(self, tx: Tx, job: Job, cause: Cause, reason: str) -> None:
        """Compare the candidate with what is deployed now, or end the job after the last time."""
        changes = job.facts.reevaluations + 1
        if changes <= self._limits.max_reevaluations:
            facts = job.facts.model_copy(update={"reevaluations": changes})
            await self.advance(
                tx, job, JobEvent.DEPLOYED_CHANGED, cause, reason=reason, facts=facts
            )
        else:
            text = f"{reason}; the deployed version changed {changes} times during its evaluation"
            await self.advance(tx, job, JobEvent.GAVE_UP, cause, reason=text)

    async def refuse(self, tx: Tx, job: Job, cause: Cause, *, request: str, reason: str) -> bool:
        """Record a request that is not taken on, as a rejected job; False for a known one."""
        opened = await self._transitions.open(tx, job, cause, reason=request)
        if opened:
            await self.advance(tx, job, JobEvent.REFUSED, cause, reason=reason)
        return opened

    async def give_up(self, tx: Tx, job: Job, reason: str) -> None:
        """End a job that cannot go on."""
        cause = Cause(derived_id("gave up", job.job_id, job.version), str(job.job_id))
        await self.advance(tx, job, JobEvent.GAVE_UP, cause, reason=reason)

    async def handle_overdue(self, tx: Tx, job: Job) -> None:
        """The job's state took too long: try again where that can help, else end the job."""
        cause = Cause(derived_id("overdue", job.job_id, job.version), str(job.job_id))
        seconds = self._limits.stay_seconds[job.state]
        match job.state:
            case JobState.REQUESTED:
                why = f"its agent was unknown or busy for {seconds:g} s; configure it or wait"
                if job.facts.feedback_wait_until is not None:
                    why = await self._agent_queue.end_feedback_wait(tx, job, cause)
                if why:
                    await self.advance(tx, job, JobEvent.GAVE_UP, cause, reason=why)
            case JobState.QUEUED:
                reason = f"no training slot was free for {seconds:g} s; add a trainer"
                await self.advance(tx, job, JobEvent.GAVE_UP, cause, reason=reason)
            case JobState.TRAINING:
                reason = f"the trainer gave no answer for {seconds:g} s"
                await self._dispatcher.cancel_training(tx, job, cause, reason)
                await self.retry_training(tx, job, cause, reason)
            case JobState.ROLLING_OUT if job.facts.experiment_id is not None:
                # It has a time limit of its own, at the registry.
                await self._transitions.update_facts(tx, job, job.facts)
            case _:
                error = await self._dispatcher.find_last_error(tx, job)
                cause_text = f"its last try failed: {error}" if error else "is its service up?"
                reason = f"nobody finished {job.state} within {seconds:g} s; {cause_text}"
                await self.retry_command(tx, job, cause, reason)

    async def _stop_what_runs(self, tx: Tx, job: Job, cause: Cause, reason: str) -> None:
        """Of a cancelled job. Elsewhere nothing is worth stopping: late results are ignored."""
        if job.state is JobState.TRAINING:
            await self._dispatcher.cancel_training(tx, job, cause, reason)
        if job.facts.experiment_id is not None:
            await self._dispatcher.end_experiment(tx, job, cause, reason)

    async def _release_agent(
        self, tx: Tx, job: Job, ended: Job, cause: Cause, end: WindowEnd
    ) -> None:
        if job.state is not JobState.REQUESTED:  # a requested job does not hold its agent
            await self._agent_queue.release(
                tx, ended, cause, returned=end.returned, was_learnt=end.is_learnt
            )
        elif job.facts.feedback_wait_until is not None:  # but it may hold up the next one
            await self._agent_queue.start_next(tx, job.key, cause)
