"""F6: members join and leave the consumer group while commands come in."""

from __future__ import annotations

import asyncio

from tests.faults.accounting.reconciliation import reconcile
from tests.faults.brokers.servers import servers
from tests.faults.probes import Fleet, fleet
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.workload.load import CommandLoad


class RebalanceStorm:
    """One probe stays; others come and go."""

    id = "F6"
    what = "members join and leave the consumer group all the time"

    async def run(self, context: Context) -> ScenarioResult:
        events = context.size(short=500, long=20_000)
        rounds = context.size(short=3, long=60)
        client_log = context.folder / "client_log"
        async with servers(context.folder) as both, fleet(both, context.folder) as probes:
            await probes.start()
            async with CommandLoad(both.bootstrap_servers, client_log, context.seed) as load:
                sending = asyncio.create_task(load.send(events, batch=20, pause=0.25))
                survived = await self._storm(context, probes, load, rounds)
                await sending
            account, _, problems = await reconcile(probes, client_log, stall_seconds=30)
            generations = await probes.reader.value("SELECT max(generation) FROM probe.witness")
        if generations < 2 * rounds:
            problems.append(f"{generations} generations: not every member joined and left")
        return ScenarioResult(
            account=account,
            load=f"{events:,} commands, {rounds} members come and go",
            faults=rounds * 2,
            survived=survived,
            trials=events,
            problems=tuple(problems),
            facts={"group generations": generations},
        )

    async def _storm(self, context: Context, probes: Fleet, load: CommandLoad, rounds: int) -> int:
        """Each round one member joins and, once it works, leaves in good order."""
        random, survived = context.random(), 0
        for _ in range(rounds):
            name = await probes.start()
            survived += 1
            await asyncio.sleep(random.uniform(0, 1))
            await probes.retire(name)
            survived += await probes.goes_on(load)
        return survived
