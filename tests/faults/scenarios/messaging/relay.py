"""F8: the relay dies between a send and its mark, so that what it sent goes out again."""

from __future__ import annotations

from archon_contracts.topics import MODELS
from tests.faults.accounting.reconciliation import reconcile
from tests.faults.brokers.servers import servers
from tests.faults.brokers.topics import count_records
from tests.faults.probes import Fleet, fleet
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.workload.gate import LockGate, gate
from tests.faults.workload.load import CommandLoad


class RelayKilled:
    """Each round: the gate is shut, commands come, the relay has sent and is killed."""

    id = "F8"
    what = "the relay killed between send and mark"

    async def run(self, context: Context) -> ScenarioResult:
        rounds = context.size(short=4, long=50)
        each = context.size(short=100, long=200)
        client_log = context.folder / "client_log"
        async with servers(context.folder) as both, fleet(both, context.folder) as probes:
            name = await probes.start()
            async with (
                gate(both.database_url, "probe", "outbox") as barrier,
                CommandLoad(both.bootstrap_servers, client_log, context.seed) as load,
            ):
                survived = 0
                for _ in range(rounds):
                    await barrier.shut()
                    await load.send(each)
                    survived += await self._kill(probes, name, barrier)
            account, effects, problems = await reconcile(probes, client_log, stall_seconds=30)
            published = await count_records(both.bootstrap_servers, MODELS.name)
        duplicates = published - len(effects.consumed)
        if duplicates <= 0:
            problems.append("no duplicate on the topic: the fault did not happen")
        return ScenarioResult(
            account=account,
            load=f"{rounds * each:,} commands",
            faults=rounds,
            survived=survived,
            trials=rounds * each,
            problems=tuple(problems),
            facts={"duplicates on the topic": duplicates},
        )

    async def _kill(self, probes: Fleet, name: str, barrier: LockGate) -> bool:
        caught = await barrier.caught(timeout=30)
        before = probes.pid(name)
        probes.kill(name)
        await barrier.drop_waiting()
        await barrier.open()
        return caught and await probes.ready(name, but_not=before)
