"""F12: wrong clocks, a telemetry collector that is dead or silent, a disk that is full."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from deploy.local.processes.tcp_ports import pick_free
from tests.faults.accounting.reconciliation import reconcile
from tests.faults.brokers.servers import Servers, servers
from tests.faults.probes import Fleet, fleet
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.waiting import until, until_still
from tests.faults.workload.full_disk import SmallDisk, small_disk
from tests.faults.workload.load import CommandLoad

SHIFTS = (-300.0, 300.0)
LONGEST_STOP_SECONDS = 20.0  # then a composition kills


class WrongClocks:
    """Two processes share the work, one five minutes behind, one five minutes ahead."""

    id = "F12a"
    what = "clocks five minutes behind and ahead: leases and effects do not depend on them"

    async def run(self, context: Context) -> ScenarioResult:
        events = context.size(short=200, long=5_000)
        client_log = context.folder / "client_log"
        async with servers(context.folder) as both, fleet(both, context.folder) as probes:
            for shift in SHIFTS:
                await probes.start(probe_clock_shift_seconds=shift)
            async with CommandLoad(both.bootstrap_servers, client_log, context.seed) as load:
                await load.send(events, reason="work")
            account, _, problems = await reconcile(probes, client_log, stall_seconds=30)

            async def all_worked() -> bool:
                return await probes.count("worked") >= events

            await until(all_worked, timeout=60)
            worked = (await probes.read_effects()).worked
        if len(worked) != events or len(set(worked)) != events:
            problems.append(f"{len(worked)} pieces of work done, {len(set(worked))} different ones")
        return ScenarioResult(
            account=account,
            load=f"{events:,} commands, each with work under a lease",
            faults=len(SHIFTS),
            survived=len(SHIFTS) if not problems else 0,
            trials=events,
            problems=tuple(problems),
        )


class DeadCollectors:
    """Telemetry goes nowhere: to a closed port, and to a server that never answers."""

    id = "F12b"
    what = "an OTLP collector that is dead, and one that never answers: nothing waits for it"

    async def run(self, context: Context) -> ScenarioResult:
        events = context.size(short=200, long=5_000)
        client_log = context.folder / "client_log"
        async with (
            servers(context.folder) as both,
            _silent_server() as silent,
            fleet(both, context.folder) as probes,
        ):
            endpoints = (f"http://127.0.0.1:{pick_free()}", f"http://127.0.0.1:{silent}")
            async with CommandLoad(both.bootstrap_servers, client_log, context.seed) as load:
                seconds, idle = [], 0
                for endpoint in endpoints:
                    name = await probes.start(otlp_endpoint=endpoint)
                    await load.send(events // 2)
                    idle += not await until_still(
                        lambda: _all_taken(probes, load),
                        lambda: probes.count("handled"),
                        stall_seconds=30,
                    )
                    seconds.append(await _seconds_to_retire(probes, name))
                await probes.start()
                account, _, problems = await reconcile(probes, client_log, stall_seconds=30)
        if idle:
            problems.append(f"beside {idle} of {len(endpoints)} collectors not all was taken")
        survived = sum(each < LONGEST_STOP_SECONDS for each in seconds)
        return ScenarioResult(
            account=account,
            load=f"{events:,} commands",
            faults=len(endpoints),
            survived=survived,
            trials=events,
            problems=tuple(problems),
            facts={"seconds to stop": ", ".join(f"{each:.1f}" for each in seconds)},
        )


async def _seconds_to_retire(probes: Fleet, name: str) -> float:
    started = asyncio.get_running_loop().time()
    await probes.retire(name)
    return asyncio.get_running_loop().time() - started


async def _all_taken(probes: Fleet, load: CommandLoad) -> bool:
    return await probes.count("handled") >= load.sent


@contextlib.asynccontextmanager
async def _silent_server() -> AsyncIterator[int]:
    """A port that accepts, reads, and never answers."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(65_536):
                pass
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class FullDisk:
    """The database's disk fills up under load and is cleared again."""

    id = "F12c"
    what = "the database's disk full: work waits, nothing is set aside, and goes on"

    async def run(self, context: Context) -> ScenarioResult:
        events = context.size(short=300, long=5_000)
        times = context.size(short=2, long=10)
        client_log = context.folder / "client_log"
        with small_disk(context.folder / "postgres") as disk:
            if disk is None:
                return _not_possible()
            async with servers(context.folder) as both, fleet(both, context.folder) as probes:
                await probes.start()
                async with CommandLoad(both.bootstrap_servers, client_log, context.seed) as load:
                    sending = asyncio.create_task(load.send(events, batch=20, pause=0.3))
                    survived = 0
                    for _ in range(times):
                        survived += await self._fill_and_clear(disk, both, probes, load)
                    await sending
                account, _, problems = await reconcile(probes, client_log, stall_seconds=30)
        return ScenarioResult(
            account=account,
            load=f"{events:,} commands",
            faults=times,
            survived=survived,
            trials=events,
            problems=tuple(problems),
        )

    async def _fill_and_clear(
        self, disk: SmallDisk, both: Servers, probes: Fleet, load: CommandLoad
    ) -> bool:
        """Nothing is stored on a full disk, and all goes on once there is room."""
        disk.fill()
        stood_still = await until(lambda: _stands_still(probes, load), timeout=30)
        disk.clear()
        await both.postgres.ensure_running()
        return stood_still and await probes.goes_on(load)


async def _stands_still(probes: Fleet, load: CommandLoad) -> bool:
    """Whether nothing is taken although something waits."""
    before = await probes.count("handled")
    await asyncio.sleep(1)
    return before < load.acknowledged and await probes.count("handled") == before


def _not_possible() -> ScenarioResult:
    return ScenarioResult.of_nothing("this user may not mount a small disk")
