"""S1: jobs under every sequence of answers, late and double ones, timeouts and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar

from hypothesis import HealthCheck, core, settings
from hypothesis.stateful import run_state_machine_as_test

from archon_contracts.events import JobState
from services.coordinator.state_machine import FINAL, TRANSITIONS, JobEvent
from tests.faults.ledger import Account
from tests.faults.scenario import Context, Outcome
from tests.unit.coordinator.test_job_life import JobLife

STEPS_EACH = 50
MOST_ROUNDS = 200  # of nobody answering, till even the longest chain of tries is over


class WholeLife(JobLife):
    """The coordinator's own stateful test; at its end nobody answers until every job is over."""

    steps: ClassVar[int] = 0
    jobs: ClassVar[int] = 0
    made: ClassVar[set[tuple[JobState, JobEvent]]] = set()

    def do(self, work: Awaitable[Any]) -> None:
        """Count the steps."""
        type(self).steps += 1
        super().do(work)

    def teardown(self) -> None:
        """No run is stuck: time alone ends every job, in a state that it never leaves again."""
        jobs = self.world.store.jobs
        for _ in range(MOST_ROUNDS):
            if all(job.state in FINAL for job in jobs.values()):
                break
            self.nobody_answers()
        stuck = [job.state for job in jobs.values() if job.state not in FINAL]
        type(self).jobs += len(jobs)
        events = self.world.store.events
        type(self).made.update(
            (before, event) for _, before, event, _ in events if before and event
        )
        super().teardown()
        assert not stuck, f"jobs stuck in {stuck}"


class JobsUnderAnySequence:
    """Hypothesis chooses; an illegal state, a second end or a stuck job fails it."""

    id = "S1"
    what = "jobs under any sequence of answers, late and double ones, timeouts and restarts"

    async def run(self, context: Context) -> Outcome:
        wanted = context.size(short=2_000, long=100_000)
        WholeLife.steps = WholeLife.jobs = 0
        WholeLife.made.clear()
        await asyncio.to_thread(self._run, context.seed, wanted)
        problems = [] if WholeLife.steps >= wanted else [f"only {WholeLife.steps} steps"]
        missing = set(TRANSITIONS) - WholeLife.made
        if context.long and missing:
            problems.append(f"never made: {sorted(missing)}")
        return Outcome(
            account=Account(0, 0, 0, 0, 0, 0, 0),
            load=f"{WholeLife.steps:,} steps, {WholeLife.jobs:,} jobs",
            faults=0,
            survived=0,
            trials=WholeLife.jobs,
            problems=tuple(problems),
            facts={"kinds of transition made": f"{len(WholeLife.made)} of {len(TRANSITIONS)}"},
        )

    def _run(self, seed: int, wanted: int) -> None:
        core.global_force_seed = seed
        chosen = settings(
            max_examples=2 * wanted // STEPS_EACH,
            stateful_step_count=STEPS_EACH,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(WholeLife, settings=chosen)
