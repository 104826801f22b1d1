"""F4: the broker is restarted, frozen, away, and its connections are cut, refused, hang, crawl."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from dataclasses import dataclass

from archon_contracts.topics import REGISTRY_COMMANDS
from tests.faults.accounting.reconciliation import reconcile
from tests.faults.brokers.proxy import Mode, Proxy
from tests.faults.brokers.servers import Servers, servers
from tests.faults.brokers.topics import count_records
from tests.faults.probes import Fleet, fleet
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.waiting import until
from tests.faults.workload.load import CommandLoad

BATCH, PAUSE_SECONDS = 20, 0.25
PACE = round(BATCH / PAUSE_SECONDS)  # commands a second
DRAIN_ALLOWED, DRAIN_TIMEOUT_SECONDS = 2.0, 200.0  # times the outage, as the design guarantees
FAULTS = ("restart", "freeze", "cut", "refuse", "hang", "slow")


@dataclass(frozen=True, slots=True)
class Drain:
    """Seconds from the broker's return to the first effect and to the last; None: it never came."""

    outage: float
    first: float | None
    last: float | None

    @property
    def goes_on(self) -> bool:
        """Whether anything took effect again."""
        return self.first is not None

    @property
    def problems(self) -> list[str]:
        """The backlog is to be gone within twice the outage."""
        if self.last is not None and self.last < DRAIN_ALLOWED * self.outage:
            return []
        took = "did not drain" if self.last is None else f"took {self.last:g} s to drain"
        return [f"the backlog of an outage of {self.outage:g} s {took}"]

    @property
    def facts(self) -> dict[str, object]:
        """For the record."""
        return {
            "outage, s": self.outage,
            "first effect after it, s": self.first,
            "backlog drained after it, s": self.last,
        }


class BrokerFaults:
    """Every fault in turn, in an order that the seed gives, and one outage of all brokers."""

    id = "F4"
    what = "the broker restarted, frozen, cut off, refusing, hanging, slow, and away"

    async def run(self, context: Context) -> ScenarioResult:
        events = context.size(short=500, long=20_000)
        faults = list(FAULTS) * context.size(short=1, long=5)
        outage = context.size(short=4, long=60)
        chance = context.random()
        chance.shuffle(faults)
        client_log = context.folder / "client_log"
        async with (
            servers(context.folder) as both,
            Proxy("127.0.0.1", both.broker.port, advertises_address=True).serving() as proxy,
            fleet(both, context.folder) as probes,
        ):
            await probes.start(kafka_bootstrap_servers=proxy.address)
            async with CommandLoad(proxy.address, client_log, context.seed) as load:
                sending = asyncio.create_task(load.send(events, batch=BATCH, pause=PAUSE_SECONDS))
                survived = 0
                for fault in faults:
                    await self._one(fault, both, proxy, chance)
                    survived += await probes.goes_on(load)
                await sending
                drained = await self._outage(both, proxy, probes, load, outage)
            account, _, problems = await reconcile(probes, client_log, stall_seconds=30)
            if context.long:
                problems += drained.problems
            on_topic = await count_records(both.bootstrap_servers, REGISTRY_COMMANDS.name)
        return ScenarioResult(
            account=account,
            load=f"{events:,} commands, {PACE * outage:,} in an outage",
            faults=len(faults) + 1,
            survived=survived + drained.goes_on,
            trials=events + PACE * outage,
            problems=tuple(problems),
            facts={"records on the topic": on_topic, **drained.facts},
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
    ) -> Drain:
        """All brokers away for so long; what is sent meanwhile comes at once when they are back."""
        sending = asyncio.create_task(load.send(PACE * seconds, batch=BATCH))
        await self._stop(both, proxy)
        await asyncio.sleep(seconds)
        before = await probes.count("consumed")
        await self._start(both, proxy)
        began = time.monotonic()
        first = await _seconds_till(probes, before + 1, began)
        await sending
        return Drain(seconds, first, await _seconds_till(probes, load.sent, began))

    async def _stop(self, both: Servers, proxy: Proxy) -> None:
        """Off the network first: the embedded broker acknowledges what comes after its last save
        on SIGTERM, for some milliseconds, and has lost it then."""
        proxy.set_mode(Mode.REFUSE)
        await both.broker.end(signal.SIGTERM)

    async def _start(self, both: Servers, proxy: Proxy) -> None:
        await both.broker.start()
        proxy.set_mode(Mode.PASS)


async def _seconds_till(probes: Fleet, count: int, began: float) -> float | None:
    """Seconds until so many commands have their second effect; None when it is never so."""

    async def there() -> bool:
        return await probes.count("consumed") >= count

    if not await until(there, timeout=DRAIN_TIMEOUT_SECONDS):
        return None
    return round(time.monotonic() - began, 1)
