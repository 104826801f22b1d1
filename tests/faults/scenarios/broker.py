"""F4: the broker is restarted, frozen, away, and its connections are cut, refused, hang, crawl."""

from __future__ import annotations

import asyncio
import random
import signal

from archon_contracts.topics import REGISTRY_COMMANDS
from tests.faults.books import close_books
from tests.faults.load import CommandLoad
from tests.faults.probes import Fleet, fleet
from tests.faults.proxy import Mode, Proxy
from tests.faults.scenario import Context, Outcome
from tests.faults.servers import Servers, servers
from tests.faults.topics import count_records

FAULTS = ("restart", "freeze", "cut", "refuse", "hang", "slow")


class BrokerFaults:
    """Every fault in turn, in an order that the seed gives, and one outage of all brokers."""

    id = "F4"
    what = "the broker restarted, frozen, cut off, refusing, hanging, slow, and away"

    async def run(self, context: Context) -> Outcome:
        events = context.size(short=500, long=20_000)
        faults = list(FAULTS) * context.size(short=1, long=5)
        outage = context.size(short=4, long=60)
        chance = context.random()
        chance.shuffle(faults)
        ledger = context.folder / "ledger"
        async with (
            servers(context.folder) as both,
            Proxy("127.0.0.1", both.broker.port, tells_own_address=True).serving() as proxy,
            fleet(both, context.folder) as probes,
        ):
            await probes.start(kafka_bootstrap_servers=proxy.address)
            async with CommandLoad(proxy.address, ledger, context.seed) as load:
                sending = asyncio.create_task(load.send(events, batch=20, pause=0.25))
                survived = 0
                for fault in faults:
                    await self._one(fault, both, proxy, chance)
                    survived += await probes.goes_on(load)
                drained = await self._outage(both, proxy, probes, load, outage)
                await sending
            account, _, problems = await close_books(probes, ledger, patience=30)
            on_topic = await count_records(both.bootstrap_servers, REGISTRY_COMMANDS.name)
        return Outcome(
            account=account,
            load=f"{events:,} commands",
            faults=len(faults) + 1,
            survived=survived + (drained is not None),
            trials=events,
            problems=tuple(problems),
            facts={
                "outage, s": outage,
                "first effect after it, s": drained,
                "records on the topic": on_topic,
            },
        )

    async def _one(self, fault: str, both: Servers, proxy: Proxy, chance: random.Random) -> None:
        lasts = chance.uniform(0.3, 1.5)
        match fault:
            case "restart":
                await self._stop(both, proxy)
                await self._start(both, proxy)
            case "freeze":
                both.broker.send(signal.SIGSTOP)
                await asyncio.sleep(lasts)
                both.broker.send(signal.SIGCONT)
            case "cut":
                proxy.cut()
            case _:
                proxy.set_mode(Mode(fault))
                await asyncio.sleep(lasts)
                proxy.set_mode(Mode.PASS)

    async def _outage(
        self, both: Servers, proxy: Proxy, probes: Fleet, load: CommandLoad, seconds: int
    ) -> float | None:
        """Seconds from the broker's return to the next effect; None when none came."""
        await self._stop(both, proxy)
        await asyncio.sleep(seconds)
        await self._start(both, proxy)
        started = asyncio.get_running_loop().time()
        if not await probes.goes_on(load):
            return None
        return round(asyncio.get_running_loop().time() - started, 1)

    async def _stop(self, both: Servers, proxy: Proxy) -> None:
        """Off the network first: the embedded broker acknowledges what comes after its last save
        on SIGTERM, for some milliseconds, and has lost it then."""
        proxy.set_mode(Mode.REFUSE)
        await both.broker.end(signal.SIGTERM)

    async def _start(self, both: Servers, proxy: Proxy) -> None:
        await both.broker.start()
        proxy.set_mode(Mode.PASS)
