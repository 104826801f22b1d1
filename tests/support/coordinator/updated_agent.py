"""An agent of the fast path on stores in memory, led through its jobs by hand."""

from __future__ import annotations

from typing import Any

from archon_contracts.events import QualityReport
from archon_contracts.identifiers import new_id
from archon_contracts.values import ModelRef
from services.coordinator.domain import AgentKey, Job
from services.coordinator.feedback.records import FeedbackRow, RetractionRow
from tests.support.coordinator.coordinator import (
    AGENT,
    CLASSIFIER,
    JobReplies,
    artifact,
    configure,
    feedback,
)
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.messaging.messages import message_of

KEY = AgentKey("default", AGENT)


class Updated:
    """A classifier with a deployed version, whose policy wants windows of many."""

    def __init__(self, **fields: Any) -> None:
        self.world = InMemoryCoordinator()
        self.command = configure(trigger_minimum_feedback=10, **(CLASSIFIER | fields))

    async def start(self) -> Updated:
        await self.world.agents.configure_agent(None, message_of(self.command))
        earlier = ModelRef(version="0.9.0", artifact=artifact("an earlier model"))
        deployed = JobReplies(new_id()).deployed().model_copy(update={"model": earlier})
        await self.world.jobs.record_deployment(None, message_of(deployed))
        return self

    async def correct(self, *names: str) -> None:
        rows = [
            FeedbackRow(
                KEY, new_id(), name, "user", None, False, None, feedback(name).to_bytes(), name
            )
            for name in names
        ]
        result = await self.world.feedback.insert_feedback(None, rows, {}, self.world.clock.now())
        for stats in result.stats:
            await self.world.agent_queue.evaluate_trigger(None, stats)

    async def retract(self, *names: str) -> None:
        """Retract corrections, as the consumer of feedback does it."""
        for name in names:
            await self.erase(name)
        stats = await self.world.feedback.lock_stats(None, KEY)
        assert stats is not None
        await self.world.agent_queue.evaluate_withdrawal(None, stats)

    async def erase(self, name: str) -> None:
        """Erase a correction, and begin nothing."""
        retraction = RetractionRow(KEY, new_id(), name, "user", "", name)
        await self.world.feedback.retract(None, [retraction], self.world.clock.now())

    @property
    def newest(self) -> Job:
        """The job that was opened last."""
        return list(self.world.store.jobs.values())[-1]

    @property
    def replies(self) -> JobReplies:
        """The other services' answers about the newest job."""
        return JobReplies(self.newest.job_id)

    async def prepare(self, quality: QualityReport | None = None) -> None:
        await self.world.do_work()
        dataset = self.replies.dataset(1)
        if quality is not None:
            dataset = dataset.model_copy(update={"quality": quality})
        await self.world.jobs.record_dataset(None, message_of(dataset))

    async def finish(
        self, *, passed: bool, quality: QualityReport | None = None, version: str = "1.0.0"
    ) -> None:
        """Lead the newest update to its end."""
        jobs, replies = self.world.jobs, self.replies
        await self.prepare(quality)
        await jobs.record_candidate(None, message_of(replies.trained()))
        await jobs.record_evaluation(None, message_of(replies.evaluated(passed=passed)))
        if passed:
            await jobs.record_registration(None, message_of(replies.registered(version)))
            deployed = replies.deployed(version).model_copy(
                update={"deployed_at": self.world.clock.now()}
            )
            await jobs.record_deployment(None, message_of(deployed))
