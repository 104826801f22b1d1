"""An outage of some of Kafka's nodes: what it must show within which time, and what was wrong."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.brokers.kafka_cluster import KafkaCluster
from tests.faults.brokers.servers import Server
from tests.faults.scenarios.kafka.watch import LINES_PER_MINUTE, REPORT_SECONDS
from tests.faults.waiting import until

Check = Callable[[], Awaitable[bool]]


@dataclass
class OutageReport:
    """What was measured, and the problems: what was too slow, too loud or did not come back."""

    problems: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    async def expect(
        self, what: str, check: Check, most_seconds: float, *, since: float | None = None
    ) -> None:
        """Wait until it holds, or for twice the time that it may take from `since`, or from now."""
        began = time.monotonic() if since is None else since
        await until(check, timeout=2 * most_seconds)
        self.record(what, time.monotonic() - began, most_seconds)

    def record(self, what: str, seconds: float, most_seconds: float) -> None:
        """How long something took; a problem if it was longer than it may."""
        self.facts[what] = round(seconds, 1)
        if seconds > most_seconds:
            self.problems.append(f"{what.removesuffix(', s')} {seconds:.1f} s")

    async def pass_through(
        self,
        cluster: KafkaCluster,
        nodes: Sequence[Server],
        seconds: float,
        *,
        is_named: Check,
        count_lines: Callable[[], Mapping[str, int]],
    ) -> dict[str, float]:
        """Kill the nodes, leave them away so long, start them, wait until all are in sync.

        Returns the log lines a minute by who wrote them; an outage of seconds may have the lines of
        its one minute.
        """
        lines, began = count_lines(), time.monotonic()
        await asyncio.gather(*(node.end(signal.SIGKILL) for node in nodes))
        await self.expect("readiness named it after, s", is_named, REPORT_SECONDS)
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
        await asyncio.gather(*(node.start() for node in nodes))
        if not await cluster.well():
            self.problems.append("the cluster itself did not come back")
        minutes = max(1.0, (time.monotonic() - began) / 60)
        rates = {name: round((n - lines[name]) / minutes, 1) for name, n in count_lines().items()}
        self.facts["log lines a minute"] = rates
        self.problems += [
            f"{name}: {rate:g} log lines a minute"
            for name, rate in rates.items()
            if rate > LINES_PER_MINUTE
        ]
        return rates
