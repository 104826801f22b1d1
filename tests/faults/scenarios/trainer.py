"""F2: the trainer is killed in the middle of a step, and with its artifact published."""

from __future__ import annotations

from uuid import UUID

from tests.faults.gate import Gate, gate
from tests.faults.ledger import Ledger, balance, read_ledger
from tests.faults.scenario import Context, Outcome
from tests.faults.servers import servers
from tests.faults.trainers import Trainers, trainers
from tests.faults.waiting import until

PAUSES = "pause_after_two_steps"  # and goes on from its checkpoint in its second life


class TrainerKilled:
    """Every other run is killed mid-step; the rest after the artifact, before the commit."""

    id = "F2"
    what = "the trainer killed mid-step, and after its artifact before its commit"

    async def run(self, context: Context) -> Outcome:
        runs = context.size(short=2, long=30)
        path = context.folder / "ledger"
        ledger, survived = Ledger(path), 0
        async with (
            servers(context.folder, broker=False) as both,
            trainers(both, context.folder) as them,
            gate(both, "trainer", "trainings") as barrier,
        ):
            await them.start(PAUSES)
            for number in range(runs):
                job_id = await them.order(steps=4)
                ledger.intend(job_id)
                ledger.acknowledge(job_id)
                await (self._kill_late if number % 2 else self._kill_early)(them, job_id, barrier)
                survived += await them.over(job_id)
            models = await them.models()
            resumed = await them.resumed()
        told = [str(model.job_id) for model in models]
        wrong = [model.job_id for model in models if model.steps != 4]
        return Outcome(
            account=balance(read_ledger(path), stored=told, used=told, quarantined=()),
            load=f"{runs} trainings",
            faults=runs,
            survived=survived,
            trials=runs,
            problems=(f"{len(wrong)} models of a wrong number of steps",) if wrong else (),
            facts={"resumed from a checkpoint": resumed},
        )

    async def _kill_early(self, them: Trainers, job_id: UUID, _barrier: Gate) -> None:
        """While its child is in a step, with two checkpoints written."""
        owner = await them.owner(job_id)
        await self._pausing(them, job_id)
        await them.kill(owner)
        await them.start(PAUSES)

    async def _kill_late(self, them: Trainers, job_id: UUID, barrier: Gate) -> None:
        """Its artifact is in the store, its last transaction waits at the gate."""
        await barrier.shut()
        owner = await them.owner(job_id)
        await self._pausing(them, job_id)
        them.kill_child(owner)  # the pause ends in its second life
        await barrier.caught(timeout=60)
        await them.kill(owner)
        await barrier.drop_waiting()
        await barrier.open()
        await them.start(PAUSES)

    async def _pausing(self, them: Trainers, job_id: UUID) -> None:
        """Wait until two steps and their checkpoints are done."""

        async def two_steps_done() -> bool:
            checkpoint = them.checkpoints(job_id) / "step.json"
            return checkpoint.exists() and checkpoint.read_text() == "2"

        await until(two_steps_done, timeout=30)
