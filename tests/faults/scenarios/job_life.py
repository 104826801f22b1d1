"""S1: jobs under any sequence of messages, late and double ones, timeouts and restarts.

The sequences are of messages on a store in memory, one at a time. What transactions do to each
other when they run at once is tested by `tests/integration/coordinator/test_one_retrain.py`.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from hypothesis import HealthCheck, core, settings
from hypothesis.stateful import run_state_machine_as_test

from archon_contracts.events import JobState
from services.coordinator.jobs.state_machine import TRANSITIONS, JobEvent
from tests.faults.accounting.client_log import Account
from tests.faults.scenario import Context, ScenarioResult
from tests.unit.coordinator.test_job_life import JobLife

STEPS_EACH = 50
MOST_ROUNDS = 200  # of nobody answering, till even the longest chain of tries is over


class WholeLife(JobLife):
    """The coordinator's own stateful test; at its end nobody answers until every job is over.

    A step is what comes from outside: a message, feedback, time, a restart. What the coordinator
    does on account of it, and the time at the end, do not count.
    """

    steps: ClassVar[int] = 0
    jobs: ClassVar[int] = 0
    made: ClassVar[set[tuple[JobState, JobEvent]]] = set()

    def happened(self) -> None:
        """Count the steps, but for those that wait for the end."""
        if not self.over:
            type(self).steps += 1

    def __init__(self) -> None:
        super().__init__()
        self.over = False

    def teardown(self) -> None:
        """No run is stuck: time alone ends every job, in a state that it never leaves again."""
        self.over = True
        jobs = self.world.store.jobs
        for _ in range(MOST_ROUNDS):
            if all(job.state.is_final for job in jobs.values()):
                break
            self.nobody_answers()
        stuck = [job.state for job in jobs.values() if not job.state.is_final]
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
    what = (
        "jobs under any sequence of messages, late and double ones, timeouts and restarts; "
        "on a store in memory, one message at a time"
    )

    async def run(self, context: Context) -> ScenarioResult:
        wanted = context.size(short=2_000, long=100_000)
        WholeLife.steps = WholeLife.jobs = 0
        WholeLife.made.clear()
        await asyncio.to_thread(self._run, context.seed, wanted)
        problems = [] if WholeLife.steps >= wanted else [f"only {WholeLife.steps} steps"]
        missing = set(TRANSITIONS) - WholeLife.made
        if context.long and missing:
            problems.append(f"never made: {sorted(missing)}")
        return ScenarioResult(
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
