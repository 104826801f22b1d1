"""Jobs under any sequence of answers, timeouts and cancellations: none is stuck or illegal."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from archon_contracts.commands import CancelJob, TrainModel
from archon_contracts.events import (
    DatasetRejected,
    DeploymentRefused,
    EvaluationFailed,
    JobCancelled,
    JobCompleted,
    JobFailed,
    RetrainTriggered,
    TrainingFailed,
)
from archon_contracts.identifiers import new_id
from services.coordinator.domain import AgentKey
from services.coordinator.judgements import Judgement
from services.coordinator.state_machine import FINAL, UNDER_WAY, next_state
from tests.support.coordinator import Answers, configure, feedback, requested
from tests.support.coordinator_memory import HOUR, MemoryCoordinator
from tests.support.messages import message_of

AGENTS = ("a", "b")
ENDS = {JobCompleted, JobFailed, JobCancelled}
agents = st.sampled_from(AGENTS)
attempts = st.integers(1, 4)
flags = st.booleans()


class JobLife(RuleBasedStateMachine):
    """Two agents, one training slot, and services that answer as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = MemoryCoordinator()
        self.sent = 0

    def teardown(self) -> None:
        self.runner.close()

    def do(self, work: Awaitable[Any]) -> None:
        async def wait() -> None:
            await work

        self.runner.run(wait())

    def answers(self, agent: str) -> Answers:
        """Answers for the agent's newest job under way, or for one that nobody knows."""
        jobs = [job for job in self.world.store.jobs.values() if job.key.agent_id == agent]
        open_jobs = [job.job_id for job in jobs if job.state in UNDER_WAY]
        known = open_jobs or [job.job_id for job in jobs] or [new_id()]
        return Answers(known[-1], agent)

    @initialize()
    def configure(self) -> None:
        for name in AGENTS:
            self.do(self.world.agents.configure_agent(None, message_of(configure(name))))

    @rule(agent=agents, count=st.integers(1, 4))
    def judge(self, agent: str, count: int) -> None:
        key = AgentKey("default", agent)
        bodies = [feedback(f"i{self.sent + n}", agent) for n in range(count)]
        self.sent += count
        rows = [
            Judgement(
                key, new_id(), body.interaction_id, "user", None, False, None, body.to_bytes()
            )
            for body in bodies
        ]

        async def store() -> None:
            _, tallies = await self.world.feedback.insert_judgements(
                None, rows, {}, self.world.clock.now()
            )
            for tally in tallies:
                await self.world.turns.consider(None, tally)

        self.do(store())

    @rule(agent=agents)
    def wish(self, agent: str) -> None:
        self.do(self.world.wishes.request_training(None, message_of(requested(agent))))

    @rule(agent=agents)
    def plan(self, agent: str) -> None:
        self.do(self.world.jobs.take_plan(None, message_of(self.answers(agent).plan())))

    @rule(agent=agents, train=st.integers(0, 5))
    def prepare(self, agent: str, train: int) -> None:
        body = self.answers(agent).dataset(train)
        self.do(self.world.jobs.take_dataset(None, message_of(body)))

    @rule(agent=agents)
    def reject(self, agent: str) -> None:
        job_id = self.answers(agent).job_id
        body = DatasetRejected(agent_id=agent, job_id=job_id, reason="nothing")
        self.do(self.world.jobs.end_without_dataset(None, message_of(body)))

    @rule(agent=agents, attempt=attempts)
    def train(self, agent: str, attempt: int) -> None:
        body = self.answers(agent).trained(attempt)
        self.do(self.world.jobs.take_model(None, message_of(body)))

    @rule(agent=agents, attempt=attempts, retryable=flags)
    def fail_training(self, agent: str, attempt: int, retryable: bool) -> None:
        body = TrainingFailed(
            agent_id=agent,
            job_id=self.answers(agent).job_id,
            attempt=attempt,
            error_type="X",
            reason="it broke",
            retryable=retryable,
        )
        self.do(self.world.jobs.end_attempt(None, message_of(body)))

    @rule(agent=agents, passed=flags)
    def evaluate(self, agent: str, passed: bool) -> None:
        body = self.answers(agent).verdict(passed=passed)
        self.do(self.world.jobs.take_verdict(None, message_of(body)))

    @rule(agent=agents, retryable=flags)
    def fail_evaluation(self, agent: str, retryable: bool) -> None:
        body = EvaluationFailed(
            agent_id=agent,
            job_id=self.answers(agent).job_id,
            error_type="X",
            reason="it broke",
            retryable=retryable,
        )
        self.do(self.world.jobs.end_evaluation(None, message_of(body)))

    @rule(agent=agents)
    def register(self, agent: str) -> None:
        self.do(self.world.jobs.roll_out(None, message_of(self.answers(agent).registered())))

    @rule(agent=agents)
    def deploy(self, agent: str) -> None:
        body = self.answers(agent).deployed()
        self.do(self.world.jobs.take_deployment(None, message_of(body)))

    @rule(agent=agents)
    def refuse_deployment(self, agent: str) -> None:
        body = DeploymentRefused(
            agent_id=agent,
            job_id=self.answers(agent).job_id,
            model=self.answers(agent).deployed().model,
            live_version="7.0.0",
            reason="version 7.0.0 is live",
        )
        self.do(self.world.jobs.judge_again(None, message_of(body)))

    @rule(agent=agents)
    def cancel(self, agent: str) -> None:
        body = CancelJob(job_id=self.answers(agent).job_id)
        self.do(self.world.wishes.cancel_job(None, message_of(body)))

    @rule()
    def nobody_answers(self) -> None:
        self.world.clock.move(HOUR + 1)
        for job_id in list(self.world.store.jobs):
            job = self.world.store.jobs[job_id]
            if job.deadline_at and job.deadline_at <= self.world.clock.now():
                self.do(self.world.flow.overdue(None, job))

    @invariant()
    def an_agent_has_at_most_one_job_under_way_and_knows_it(self) -> None:
        for name in AGENTS:
            key = AgentKey("default", name)
            jobs = [job for job in self.world.store.jobs.values() if job.key == key]
            under_way = [job.job_id for job in jobs if job.state in UNDER_WAY]
            kept = self.world.feedback.unused.get(key)
            assert under_way == ([kept.open_job] if kept and kept.open_job else [])

    @invariant()
    def every_step_is_in_the_table(self) -> None:
        for _, before, event, after in self.world.store.events:
            if before is not None:
                assert event is not None
                assert next_state(before, event) is after

    @invariant()
    def an_ended_job_told_its_end_once(self) -> None:
        told = [e.job_id for e in self.world.outbox.events.values() if type(e) in ENDS]  # type: ignore[attr-defined]  # all of them have one
        ended = {job.job_id for job in self.world.store.jobs.values() if job.state in FINAL}
        assert len(told) == len(set(told))
        assert set(told) == ended

    @invariant()
    def attempts_only_grow_and_stay_within_their_limit(self) -> None:
        orders = self.world.outbox.of(TrainModel)
        for job_id in {order.job_id for order in orders}:
            numbers = [order.attempt for order in orders if order.job_id == job_id]
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) <= 3

    @invariant()
    def no_judgement_is_in_two_windows(self) -> None:
        claimed = [each.event_id for rows in self.world.feedback.claimed.values() for each in rows]
        assert len(claimed) == len(set(claimed))
        counts = [each.feedback_count for each in self.world.outbox.of(RetrainTriggered)]
        assert sum(counts) == len(claimed)

    @invariant()
    def whatever_is_not_over_has_a_deadline(self) -> None:
        for job in self.world.store.jobs.values():
            assert (job.deadline_at is None) == (job.state in FINAL)


JobLife.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestJobLife = JobLife.TestCase
