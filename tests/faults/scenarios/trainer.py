"""F2: the trainer is killed in a step, in a checkpoint's write, and with its artifact published."""

from __future__ import annotations

from uuid import UUID

from tests.faults.accounting.client_log import ClientLog, balance, read_client_log
from tests.faults.brokers.servers import servers
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.waiting import until
from tests.faults.workload.gate import LockGate, gate
from tests.faults.workload.trainers import Trainers, trainers

IN_A_STEP = "pause_after_two_steps"  # and goes on from its checkpoint in its second life
IN_A_CHECKPOINT = "pause_in_the_third_checkpoint"
STEPS = 4
Kill = tuple[int, bool]
"""The process that takes over, and whether the kill came where it was meant to."""


class TrainerKilled:
    """In turn: killed mid-step, mid-checkpoint, after the artifact before the commit."""

    id = "F2"
    what = "the trainer killed mid-step, mid-checkpoint, and after its artifact before its commit"

    async def run(self, context: Context) -> ScenarioResult:
        runs = context.size(short=3, long=30)
        path = context.folder / "client_log"
        client_log, survived, missed = ClientLog(path), 0, 0
        async with (
            servers(context.folder, broker=False) as both,
            trainers(both, context.folder) as them,
            gate(both.database_url, "trainer", "trainings") as barrier,
        ):
            kills = (self._kill_in_step, self._kill_in_checkpoint, self._kill_before_commit)
            for number in range(runs):
                job_id = await them.dispatch(steps=STEPS)
                client_log.intend(job_id)
                client_log.acknowledge(job_id)
                successor, happened = await kills[number % len(kills)](them, job_id, barrier)
                missed += not happened
                survived += await them.over(job_id)
                await them.kill(successor)
            models = await them.models()
            resumed = await them.resumed()
        reported = [str(model.job_id) for model in models]
        wrong = [model.job_id for model in models if model.steps != STEPS]
        problems = [f"{len(wrong)} models of a wrong number of steps"] if wrong else []
        if missed:
            problems.append(f"{missed} kills did not come where they were meant to")
        if resumed < runs:
            problems.append(f"{runs - resumed} runs began again without their checkpoint")
        return ScenarioResult(
            account=balance(read_client_log(path), stored=reported, used=reported, quarantined=()),
            load=f"{runs} trainings",
            faults=runs,
            survived=survived,
            trials=runs,
            problems=tuple(problems),
            facts={"resumed from a checkpoint": resumed},
        )

    async def _kill_in_step(self, them: Trainers, job_id: UUID, _barrier: LockGate) -> Kill:
        """While its child is in a step, with two checkpoints written."""
        owner = await them.start(IN_A_STEP)
        happened = await self._two_steps_done(them, job_id)
        await them.kill(owner)
        return await them.start(IN_A_STEP), happened

    async def _kill_in_checkpoint(self, them: Trainers, job_id: UUID, _barrier: LockGate) -> Kill:
        """While its child writes the third checkpoint: half of it is on the disk."""
        owner = await them.start(IN_A_CHECKPOINT)

        async def half_written() -> bool:
            return any(them.checkpoints(job_id).glob(".checkpoint-3.*.partial/*"))

        happened = await until(half_written, timeout=30)
        await them.kill(owner)
        return await them.start(IN_A_CHECKPOINT), happened

    async def _kill_before_commit(self, them: Trainers, job_id: UUID, barrier: LockGate) -> Kill:
        """Its artifact is in the store, its last transaction waits at the gate."""
        await barrier.shut()
        owner = await them.start(IN_A_STEP)
        happened = await self._two_steps_done(them, job_id)
        them.kill_child(owner)  # the pause ends in its second life
        happened &= await barrier.caught(timeout=60)
        await them.kill(owner)
        await barrier.drop_waiting()
        await barrier.open()
        return await them.start(IN_A_STEP), happened

    async def _two_steps_done(self, them: Trainers, job_id: UUID) -> bool:
        """Wait until two steps and their checkpoints are done."""

        async def done() -> bool:
            return (them.checkpoints(job_id) / "checkpoint-2").is_dir()

        return await until(done, timeout=30)
