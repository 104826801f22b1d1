"""What becomes of a window's feedback when its job ends.

A feedback event is new data of exactly one deployed version, or it is listed as never learnt with
the reason. So the feedback of a job that gave no version is unused again, a bounded number of
times: without a bound, a window that cannot be learnt would be tried for ever. What the deployed
version has from updates of the fast path, which borrow their feedback, is learnt: it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from archon_contracts.events import FeedbackReturned, JobState
from archon_contracts.values import AgentProfile, ArtifactRef
from services.coordinator.domain import AgentKey, Job, WindowOutcome
from services.coordinator.jobs.ports import ConfiguredAgents, Outbox
from services.coordinator.jobs.transitions import cause_of_job
from services.coordinator.retraining.ports import StatsStore, WindowRecords
from shared.messaging.messages import Cause
from shared.ports import Clock
from shared.postgres.database import Tx


@dataclass(frozen=True, slots=True)
class WindowEnd:
    """Feedback events of a window: unused again, not learnt, and learnt before by updates."""

    returned: int = 0
    unlearnt: int = 0
    learnt: int = 0

    @property
    def is_learnt(self) -> bool:
        """Whether updates of the fast path had learnt all of it: nothing was left to learn."""
        return self.learnt > 0 and not self.returned and not self.unlearnt

    @property
    def outcome(self) -> WindowOutcome:
        """What became of the window."""
        if self.returned:
            return WindowOutcome.RETURNED
        return WindowOutcome.LEARNT if self.is_learnt else WindowOutcome.UNLEARNT

    def explain(self, reason: str) -> str:
        """The end's reason, with what became of the feedback."""
        parts = [reason] if reason else []
        if self.learnt:
            which = f"all {self.learnt} items" if self.is_learnt else f"{self.learnt} of its items"
            parts.append(f"deployed updates of the fast path had learnt {which} already")
        if self.returned:
            parts.append(f"{self.returned} feedback events of its window are new data again")
        if self.unlearnt:
            parts.append(
                f"{self.unlearnt} of its window are not tried again by themselves; "
                "`archon jobs return` gives them back"
            )
        return "; ".join(parts)


class WindowEnds:
    """Takes the lock of the agent's statistics; the caller holds that of the job, if it has one."""

    def __init__(
        self,
        stats: StatsStore,
        windows: WindowRecords,
        agents: ConfiguredAgents,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._stats = stats
        self._windows = windows
        self._agents = agents
        self._outbox = outbox
        self._clock = clock

    async def end_unlearnt(
        self, tx: Tx, job: Job, cause: Cause, *, reason: str, data_at_fault: bool
    ) -> WindowEnd:
        """The job ends without a version. Data at fault is not tried again by itself."""
        # An update of the fast path borrows its feedback: it stays unused for the next window.
        if job.facts.window is None or job.is_update:
            return WindowEnd()
        if job.state is JobState.ROLLING_OUT and job.facts.model is not None:
            # The registry may still deploy it, or a person: its feedback would be learnt twice.
            text = f"version {job.facts.model.version} is registered and not deployed: {reason}"
            await self._stats.lock_stats(tx, job.key)
            await self._end(tx, job.facts.window.window_id, WindowOutcome.IN_REVIEW, text)
            return WindowEnd()
        agent = await self._agents.find_agent(tx, job.key)
        # An agent is never removed, so None is a job of no agent, which has no window either.
        maximum = 0 if data_at_fault or agent is None else agent.profile.learning.maximum_returns
        return await self._give_back(tx, job, cause, reason, maximum=maximum, by_hand=False)

    async def return_by_hand(self, tx: Tx, job: Job, cause: Cause, reason: str) -> WindowEnd | None:
        """Give the window of a job that is over back; None: a deployed version has learnt it."""
        window = job.facts.window
        if window is None or job.is_update or not job.state.is_final:
            return None
        # Before the window is looked at: a deployment that marks it takes this lock first, too.
        await self._stats.lock_stats(tx, job.key)
        outcome = await self._windows.window_outcome(tx, window.window_id)
        # A job that ended before outcomes were kept has none; complete, a version has learnt it.
        if outcome is WindowOutcome.LEARNT or (outcome is None and job.state is JobState.COMPLETED):
            return None
        end = await self._give_back(tx, job, cause, reason, maximum=0, by_hand=True)
        return None if end.is_learnt else end

    async def set_waiting(
        self, tx: Tx, job: Job, waiting: Mapping[UUID, str], exported_for: ArtifactRef | None
    ) -> None:
        """Corrections to answers that the agent does not have leave the window and wait.

        `exported_for` is the catalogue that they were compared with. The profile may have changed
        since: what has its answer by now would wait for another change, and is released at once.
        """
        if not waiting or job.facts.window is None:
            return
        await self._stats.lock_stats(tx, job.key)
        await self._windows.set_waiting(tx, job.facts.window.window_id, waiting)
        agent = await self._agents.find_agent(tx, job.key)
        if agent is None:
            return
        if agent.profile.catalogue is None or agent.profile.catalogue != exported_for:
            await self.release_waiting(tx, job.key, agent.profile)

    async def release_waiting(self, tx: Tx, key: AgentKey, profile: AgentProfile) -> int:
        """The profile changed: what waited for an answer that it has now is unused again.

        A catalogue is a file, which no transaction reads: all that waits for an entry is released,
        and what is still unknown waits again when its window is exported.
        """
        await self._stats.lock_stats(tx, key)
        answers = profile.labels if profile.catalogue is None and profile.labels else None
        return await self._windows.release_waiting(tx, key, answers)

    async def await_review(self, tx: Tx, job: Job) -> None:
        """A person decides on the version that has learnt the window."""
        if job.facts.window is not None and not job.is_update:
            await self._windows.end_window(
                tx,
                job.facts.window.window_id,
                WindowOutcome.IN_REVIEW,
                "; ".join(job.review_reasons),
                self._clock.now(),
            )

    async def record_learnt(self, tx: Tx, key: AgentKey, version: str) -> None:
        """A version is deployed: its window is learnt, even if it was given back before.

        A deployment may come late, after its job was given up, or by a person's hand. What was
        given back and not claimed since is taken back, or it would be learnt twice.
        """
        await self._stats.lock_stats(tx, key)
        found = await self._windows.window_of_version(tx, key, version)
        if found is None:
            return
        window_id, outcome = found
        if outcome is WindowOutcome.RETURNED:
            await self._windows.reclaim_feedback(tx, key, window_id)
        await self._end(tx, window_id, WindowOutcome.LEARNT, f"version {version} is deployed")

    async def _give_back(
        self, tx: Tx, job: Job, cause: Cause, reason: str, *, maximum: int, by_hand: bool
    ) -> WindowEnd:
        window = job.facts.window
        assert window is not None, "callers have looked"
        await self._stats.lock_stats(tx, job.key)
        learnt = await self._windows.learnt_by_updates(tx, job.key, window.window_id)
        returned = await self._windows.return_feedback(
            tx,
            job.key,
            window.window_id,
            maximum_returns=maximum,
            by_hand=by_hand,
            learnt=learnt,
        )
        left = await self._windows.unlearnt_feedback(tx, window.window_id, learnt=learnt)
        end = WindowEnd(returned, left.count, len(learnt))
        if by_hand and not returned:
            # The window may have given everything back before, or all but what updates learnt: what
            # became of it stays said, as a late deployment goes by it (`record_learnt`).
            return end
        await self._end(
            tx, window.window_id, end.outcome, end.explain(reason) if end.learnt else reason
        )
        if end.is_learnt:
            return end
        event = FeedbackReturned(
            tenant_id=job.key.tenant_id,
            agent_id=job.key.agent_id,
            job_id=job.job_id,
            window_id=window.window_id,
            returned=returned,
            unlearnt=left.count,
            unlearnt_ids=left.event_ids,
            reason=reason,
        )
        await self._outbox.append(tx, event, cause=cause_of_job(cause, job))
        return end

    async def _end(self, tx: Tx, window_id: UUID, outcome: WindowOutcome, reason: str) -> None:
        await self._windows.end_window(tx, window_id, outcome, reason, self._clock.now())
