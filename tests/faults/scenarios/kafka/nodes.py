"""K1, K2: nodes of a Kafka of three are killed, paused, stopped in turn, and cut off."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from functools import partial

from tests.faults.brokers.proxy import Mode
from tests.faults.brokers.servers import Server
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.scenarios.kafka.watch import LONGEST_SECONDS, FaultWatch, attack

# Longer than broker.session.timeout.ms, so that the others take over.
PAUSE_SECONDS = 9.0


class KilledNodes:
    """Nodes killed one after the other, and two of three at once: no majority is left."""

    id = "K1"
    what = "Apache Kafka with three nodes: one killed again and again, two at once"
    on_request = True
    longest_short_seconds = LONGEST_SECONDS

    async def run(self, context: Context) -> ScenarioResult:
        kills, without = context.size(short=2, long=20), context.size(short=20, long=60)
        chance = context.random()

        async def faults(watch: FaultWatch) -> None:
            watch.send_on()
            for _ in range(kills):
                node = chance.choice(watch.cluster.nodes)
                kill = partial(node.end, signal.SIGKILL)
                await watch.through("a node killed", kill, node.start, lasts=1.0)
            two = chance.sample(watch.cluster.nodes, 2)
            await watch.through(
                "two nodes killed",
                lambda: asyncio.gather(*(node.end(signal.SIGKILL) for node in two)),
                lambda: asyncio.gather(*(node.start() for node in two)),
                lasts=without,
                reported=True,
            )

        return await attack(context, faults)


class PausedNodes:
    """Nodes frozen, one and two; each stopped and started in turn; one cut off from the probe."""

    id = "K2"
    what = "Apache Kafka with three nodes: paused, upgraded in turn, one cut off from a service"
    on_request = True
    longest_short_seconds = LONGEST_SECONDS

    async def run(self, context: Context) -> ScenarioResult:
        chance = context.random()

        async def faults(watch: FaultWatch) -> None:
            watch.send_on()
            for count in (1, 2):
                some = chance.sample(watch.cluster.nodes, count)
                await watch.through(
                    f"{count} paused",
                    partial(_signal, some, signal.SIGSTOP),
                    partial(_signal, some, signal.SIGCONT),
                    lasts=PAUSE_SECONDS,
                )
            for node in watch.cluster.nodes:
                stop = partial(node.end, signal.SIGTERM)
                await watch.through("stopped and started in turn", stop, node.start, lasts=0.0)
            for mode in (Mode.REFUSE, Mode.HANG):
                await watch.through(
                    f"cut off, {mode.value}",
                    partial(_set_mode, watch, mode),
                    partial(_set_mode, watch, Mode.PASS),
                    lasts=PAUSE_SECONDS,
                )

        return await attack(context, faults, proxied=True)


async def _signal(nodes: Sequence[Server], number: signal.Signals) -> None:
    for node in nodes:
        node.send(number)


async def _set_mode(watch: FaultWatch, mode: Mode) -> None:
    watch.proxy.set_mode(mode)
