"""What the services answer to jobs."""

import asyncio
from collections.abc import Awaitable
from typing import Any
from uuid import UUID

from hypothesis.stateful import RuleBasedStateMachine

from archon_contracts.base import Contract
from archon_contracts.events import (
    DatasetPrepared,
    EvaluationCompleted,
    ModelDeployed,
    ModelRegistered,
)
from archon_contracts.identifiers import derived_id, new_id
from archon_contracts.values import RetentionStrategy
from services.coordinator.jobs.state_machine import ACTIVE_STATES
from services.coordinator.requests import RequestService
from tests.support.coordinator.coordinator import (
    JobReplies,
)
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.messaging.messages import message_of

POLICIES = {
    "a": {"cooldown_seconds": 0, "backoff_seconds": 0},
    "b": {"cooldown_seconds": 90, "backoff_seconds": 40, "maximum_backoff_seconds": 100},
    "c": {"minimum_feedback": 5, "cooldown_seconds": 0, "backoff_seconds": 0},
}
FAST = "c"
"""The agent that has a fast path."""
AGENTS = tuple(POLICIES)


class JobAnswers(RuleBasedStateMachine):
    """Jobs in memory, and the services' answers to them."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = InMemoryCoordinator()
        self.sent = 0
        self.delivered: list[tuple[str, Contract]] = []
        self.versions: dict[UUID, int] = {}

    def teardown(self) -> None:
        self.runner.close()

    def happened(self) -> None:
        """One more thing came from outside: a message, feedback, time, or a restart."""

    def do(self, work: Awaitable[Any]) -> None:
        async def wait() -> None:
            await work

        self.runner.run(wait())

    def deliver(self, use_case: str, body: Contract) -> None:
        """A message comes; it may come again at any later time.

        What is over never changes again, and an answer of another attempt changes nothing.
        """
        self.happened()
        self.delivered.append((use_case, body))
        before = self.world.store.jobs.get(getattr(body, "job_id", None) or new_id())
        service = self.world.requests if hasattr(RequestService, use_case) else self.world.jobs
        self.do(getattr(service, use_case)(None, message_of(body)))
        if before is not None and (
            before.state.is_final or getattr(body, "attempt", before.attempt) != before.attempt
        ):
            assert self.world.store.jobs[before.job_id] == before

    def answers(self, agent: str) -> JobReplies:
        """JobReplies for the agent's newest job under way, or for one that nobody knows."""
        jobs = [job for job in self.world.store.jobs.values() if job.key.agent_id == agent]
        open_jobs = [job.job_id for job in jobs if job.state in ACTIVE_STATES]
        known = open_jobs or [job.job_id for job in jobs] or [new_id()]
        return JobReplies(known[-1], agent)

    def prepared(self, answers: JobReplies, train: int = 3) -> DatasetPrepared:
        """Data preparation's answer; its id is that of its command, so of the job's plan."""
        job = self.world.store.jobs.get(answers.job_id)
        plan = job.facts.plan if job else None
        rehearses = job is not None and job.facts.retention is RetentionStrategy.REHEARSAL
        ratio = plan.replay_ratio if plan else 0
        return answers.dataset(train, derived_id("dataset", answers.job_id, ratio, rehearses))

    def evaluated(
        self, agent: str, passed: bool, regressed: bool, review_reasons: tuple[str, ...] = ()
    ) -> EvaluationCompleted:
        """The evaluator's answer; each evaluation has an id of its own."""
        return self.answers(agent).evaluated(
            passed=passed,
            review_reasons=review_reasons,
            rejection_kinds=("forgetting",) if regressed and not passed else (),
            evaluation_id=new_id(),
        )

    def version_of(self, answers: JobReplies) -> str:
        """Every job's version is its own, as the registry numbers them."""
        return f"1.0.{self.versions.setdefault(answers.job_id, len(self.versions))}"

    def registered(self, answers: JobReplies) -> ModelRegistered:
        """The registry's answer to a job's candidate."""
        return answers.registered(self.version_of(answers))

    def deployed_now(self, answers: JobReplies) -> ModelDeployed:
        """The registry's answer at this moment."""
        deployed = answers.deployed(self.version_of(answers))
        return deployed.model_copy(update={"deployed_at": self.world.clock.now()})
