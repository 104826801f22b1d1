"""F7: the database is restarted in the hardest way; its connections are cut, hang and crawl."""

from __future__ import annotations

import asyncio

from tests.faults.accounting.reconciliation import reconcile
from tests.faults.brokers.proxy import Mode, Proxy
from tests.faults.brokers.servers import IMMEDIATE, Servers, servers
from tests.faults.probes import Fleet, fleet
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.workload.load import CommandLoad

PAUSE_SECONDS = 0.05
NETWORK = (Mode.PASS, Mode.REFUSE, Mode.HANG, Mode.SLOW)  # a cut leaves the proxy passing


class DatabaseRestarts:
    """Immediate shutdowns and bad connections while commands come in."""

    id = "F7"
    what = "PostgreSQL stopped with -m immediate; its connections cut, refused, hanging, slow"

    async def run(self, context: Context) -> ScenarioResult:
        events = context.size(short=400, long=20_000)
        faults = context.size(short=4, long=20)
        client_log = context.folder / "client_log"
        async with (
            servers(context.folder) as both,
            Proxy("127.0.0.1", both.postgres.port).serving() as proxy,
            fleet(both, context.folder) as probes,
        ):
            name = await probes.start(database_url=both.proxied(proxy))
            async with CommandLoad(both.bootstrap_servers, client_log, context.seed) as load:
                sending = asyncio.create_task(load.send(events, pause=PAUSE_SECONDS))
                survived, happened = await self._damage(context, both, proxy, probes, load, faults)
                await sending
            account, _, problems = await reconcile(probes, client_log, stall_seconds=30)
            if not await probes.ready(name):
                problems.append("the probe was not ready again")
            if happened != faults:
                problems.append(f"{faults - happened} of {faults} faults met no connection")
        return ScenarioResult(
            account=account,
            load=f"{events:,} commands",
            faults=faults,
            survived=survived,
            trials=events,
            problems=tuple(problems),
        )

    async def _damage(
        self,
        context: Context,
        both: Servers,
        proxy: Proxy,
        probes: Fleet,
        load: CommandLoad,
        faults: int,
    ) -> tuple[int, int]:
        """Half of the faults are restarts, half are the network's; a new effect follows each.

        Returns how many were survived, and how many met open connections at all.
        """
        random, survived, happened = context.random(), 0, 0
        for number in range(faults):
            await asyncio.sleep(random.uniform(0.1, 0.5))
            happened += proxy.connections > 0
            if number % 2 == 0:
                await both.postgres.restart(IMMEDIATE)
            elif (mode := random.choice(NETWORK)) is Mode.PASS:
                proxy.cut()
            else:
                proxy.set_mode(mode)
                await asyncio.sleep(random.uniform(0.3, 1.5))
                proxy.set_mode(Mode.PASS)
            survived += await probes.goes_on(load)
        return survived, happened
