"""F3: a trainer is frozen past its lease, another one does its work, and it wakes again."""

from __future__ import annotations

import signal
from collections import Counter
from uuid import UUID

from tests.faults.accounting.client_log import ClientLog, balance, read_client_log
from tests.faults.brokers.servers import servers
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.waiting import until
from tests.faults.workload.trainers import Trainers, trainers


class ZombieTrainer:
    """It wakes before the other one's end, or after it: the seed decides."""

    id = "F3"
    what = "a trainer frozen (SIGSTOP) past its lease, then woken: its write is refused"

    async def run(self, context: Context) -> ScenarioResult:
        runs = context.size(short=3, long=10)
        random, path = context.random(), context.folder / "client_log"
        client_log, survived = ClientLog(path), 0
        async with (
            servers(context.folder, broker=False) as both,
            trainers(both, context.folder) as them,
        ):
            for _ in range(2):
                await them.start("learn_when_signalled")
            for _ in range(runs):
                job_id = await them.dispatch()
                client_log.intend(job_id)
                client_log.acknowledge(job_id)
                survived += await self._one(them, job_id, wakes_late=random.random() < 0.5)
            models = Counter(str(model.job_id) for model in await them.models())
        refused = them.logged("lease_lost")
        reported = list(models.elements())
        return ScenarioResult(
            account=balance(read_client_log(path), stored=reported, used=reported, quarantined=()),
            load=f"{runs} trainings",
            faults=runs,
            survived=survived,
            trials=runs,
            problems=() if refused == runs else (f"{refused} of {runs} zombies were refused",),
            facts={"zombie writes refused": refused},
        )

    async def _one(self, them: Trainers, job_id: UUID, *, wakes_late: bool) -> bool:
        """Whether the second trainer ended the work and the first one was refused."""
        refused = them.logged("lease_lost")
        zombie = await them.owner(job_id)
        them.send(zombie, signal.SIGSTOP)
        successor = await them.owner(job_id, but_not=zombie)
        if not wakes_late:
            them.send(zombie, signal.SIGCONT)
        (them.checkpoints(job_id) / "go").touch()
        over = await them.over(job_id)
        them.send(zombie, signal.SIGCONT)

        async def is_refused() -> bool:
            return them.logged("lease_lost") > refused

        return bool(successor) and over and await until(is_refused, timeout=30)
