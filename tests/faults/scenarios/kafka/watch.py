"""One probe watched through faults of its Kafka: when it reports them, when it works again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from archon_contracts.topics import MODELS, REGISTRY_COMMANDS, dead_letters
from deploy.local.processes.probes import answers_ready, problems_of
from tests.faults.accounting.client_log import Account
from tests.faults.accounting.reconciliation import reconcile
from tests.faults.brokers.kafka_cluster import KafkaCluster, kafka_cluster
from tests.faults.brokers.proxy import Proxy
from tests.faults.brokers.servers import servers
from tests.faults.probes import Fleet, fleet
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.waiting import until
from tests.faults.workload.load import CommandLoad
from tests.support.infrastructure.real_kafka import why_not

REPORT_SECONDS = 30.0
"""How long readiness may take to say what is wrong, and to be clear again."""
GOAL_SECONDS = 15.0
"""How soon a command takes effect once the cluster is well."""
REFRESHED_SECONDS = 45.0
"""The same of new partitions, and of a topic that was made again."""
LINES_PER_MINUTE = 10
LONGEST_SECONDS = 900
"""Three nodes come back in turn again and again: half a minute each time on two busy cores."""
QUIET_SECONDS = 60.0
BATCH, PAUSE_SECONDS = 10, 0.25
MOST_UNHANDLED = 40
"""Each record is committed to three nodes by itself, so a busy machine handles fewer than could be
sent. A command behind thousands would show how fast that is, not how soon it went on."""
TOPICS = (REGISTRY_COMMANDS, MODELS, dead_letters("probe"))
Step = Callable[[], Awaitable[object]]


@dataclass
class FaultWatch:
    """What became of the faults so far."""

    cluster: KafkaCluster
    probes: Fleet
    name: str
    load: CommandLoad
    proxy: Proxy
    settings: dict[str, object]
    faults: int = 0
    survived: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    """The part of `seconds` until Kafka had acknowledged the command: the sender's."""
    most_lines: float = 0.0
    _sending: asyncio.Task[None] | None = None

    def send_on(self) -> None:
        """Send commands without an end, so that every fault meets some on their way."""
        self._sending = asyncio.create_task(self._send())

    async def stop_sending(self) -> None:
        """Finish the batch under way, and send no more."""
        sending, self._sending = self._sending, None
        if sending is not None:
            await sending

    async def _send(self) -> None:
        task = asyncio.current_task()
        while self._sending is task:
            if await self._unhandled() < MOST_UNHANDLED:
                await self.load.send(BATCH, batch=BATCH)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _unhandled(self) -> int:
        try:
            return self.load.acknowledged - await self.probes.count("handled")
        except OSError:
            return 0

    async def quiet(self) -> None:
        """Wait until all that was sent has taken effect; nothing is sent meanwhile."""
        await self.stop_sending()

        async def done() -> bool:
            handled = await self.probes.count("handled")
            return handled >= self.load.acknowledged and await self.probes.quiet()

        if not await until(done, timeout=QUIET_SECONDS):
            self.problems.append("what was sent before a fault did not take effect")

    async def through(
        self,
        fault: str,
        damage: Step,
        repair: Step,
        *,
        lasts: float,
        reported: bool = False,
        within: float = GOAL_SECONDS,
    ) -> None:
        """Do the damage, leave it for at least `lasts` seconds, repair it, see that work goes on.

        `reported`: readiness has to name it, and to be clear again afterwards. `within`: how soon
        after the repair a command has to take effect.
        """
        self.faults += 1
        lines, began = self.probes.log_lines(self.name), time.monotonic()
        await damage()
        if reported and not await until(self._reports, timeout=REPORT_SECONDS):
            self.problems.append(f"{fault}: readiness said nothing for {REPORT_SECONDS:g} s")
        await asyncio.sleep(max(0.0, lasts - (time.monotonic() - began)))
        await repair()
        if not await self.cluster.well():
            self.problems.append(f"{fault}: the cluster itself did not come back")
        well = time.monotonic()
        event_id = await self.load.send_witness()
        acknowledged = time.monotonic()
        self.survived += await self.probes.takes_effect(event_id)
        took = time.monotonic() - well
        self.seconds[fault] = max(self.seconds.get(fault, 0.0), round(took, 1))
        if took > within:
            self.problems.append(f"{fault}: worked again after {took:.1f} s")
        self.acknowledged[fault] = max(
            self.acknowledged.get(fault, 0.0), round(acknowledged - well, 1)
        )
        if reported and not await until(self._is_clear, timeout=REPORT_SECONDS):
            self.problems.append(f"{fault}: readiness did not become clear again")
        self._count_lines(fault, lines, time.monotonic() - began)

    def _count_lines(self, fault: str, before: int, seconds: float) -> None:
        """An outage of seconds may have the lines of its one minute."""
        rate = (self.probes.log_lines(self.name) - before) / max(1.0, seconds / 60)
        self.most_lines = max(self.most_lines, round(rate, 1))
        if rate > LINES_PER_MINUTE:
            self.problems.append(f"{fault}: {rate:.0f} log lines a minute")

    async def _reports(self) -> bool:
        return "kafka" in await asyncio.to_thread(problems_of, self.probes.port(self.name))

    async def _is_clear(self) -> bool:
        return await answers_ready(self.probes.port(self.name))

    def result(
        self, account: Account, problems: Sequence[str], *, load: str, trials: int
    ) -> ScenarioResult:
        """The scenario's result, with what was measured."""
        found = [*problems, *self.problems]
        if ended := self.probes.restarts(self.name):
            found.append(f"the process ended {ended} times")
        return ScenarioResult(
            account=account,
            load=load,
            faults=self.faults,
            survived=self.survived,
            trials=trials,
            problems=tuple(found),
            facts={
                "works again after, s": self.seconds,
                "of which until acknowledged, s": self.acknowledged,
                "log lines a minute at most": self.most_lines,
            },
        )


async def attack(
    context: Context,
    faults: Callable[[FaultWatch], Awaitable[None]],
    *,
    proxied: bool = False,
    with_rights: bool = False,
) -> ScenarioResult:
    """Start three nodes and a probe, send commands all the time, do the damage, count.

    `proxied`: the probe's way to the first node leads through `watch.proxy`. `with_rights`: it is
    `USER`, who has the rights that `cluster.grant_probe` gives.
    """
    if reason := why_not():
        return ScenarioResult.of_nothing(reason)
    client_log = context.folder / "client_log"
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cluster = await enter(kafka_cluster(context.folder, TOPICS))
        both = await enter(servers(context.folder, broker=False))
        probes = await enter(fleet(both, context.folder))
        proxy = Proxy("127.0.0.1", cluster.port(0), advertises_address=True)
        await enter(proxy.serving())
        others = cluster.bootstrap_servers.split(",")[1:]
        settings: dict[str, object] = {"kafka_bootstrap_servers": cluster.bootstrap_servers}
        if proxied:
            settings["kafka_bootstrap_servers"] = ",".join([proxy.address, *others])
        if with_rights:
            settings = cluster.user_settings
            await asyncio.to_thread(cluster.grant_probe)
        # Apache Kafka holds an empty fetch back by itself.
        settings["kafka_empty_fetch_wait_max_ms"] = 0
        name = await probes.start(**settings)
        load = await enter(CommandLoad(cluster.bootstrap_servers, client_log, context.seed))
        watch = FaultWatch(cluster, probes, name, load, proxy, settings)
        await faults(watch)
        await watch.stop_sending()
        account, _, problems = await reconcile(probes, client_log, stall_seconds=30)
        return watch.result(
            account, problems, load=f"{load.acknowledged:,} commands", trials=load.acknowledged
        )
