"""Child processes forked from a server that has imported the heavy libraries once.

The fork server is the standard library's. A run is one child: it gets a JSON spec over a pipe,
reports dictionaries back, and answers with a result or an error. It ends when the pipe closes, so
that nothing outlives a killed service. Imports of torch stay out of the service process.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import orjson
from opentelemetry import trace

from shared.errors import ChildCrashed, ChildFailed
from shared.logging import get_logger
from shared.telemetry.spans import current_traceparent, read_span_tenant
from shared.telemetry.store import TelemetryStore
from shared.work import child_environment
from shared.work.child_process import Report, child_main, encode, parse_span_row

# For the exit alone: the watcher thread of a child ends it as soon as the pipe is closed.
STOP_SECONDS = 3.0

log = get_logger(__name__)
OnReport = Callable[[Report], Awaitable[None]]


def list_imports(modules: Sequence[str]) -> list[str]:
    """What a fork server imports, in order: these modules and what every child needs."""
    return [
        "shared.work.collector_off",
        "shared.work.child_process",
        *modules,
        "shared.work.collector_on",
    ]


class ChildPool:
    """Forks a child per run from the process's fork server.

    There is one a process, and the first pool to start it settles what it imports: pools of one
    process name the same modules.
    """

    name = "child pool"

    def __init__(
        self, *, warm_up_modules: Sequence[str], threads: int, telemetry: TelemetryStore
    ) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._warm_up_modules = list(warm_up_modules)
        self._threads = threads
        self._telemetry = telemetry

    async def start_fork_server(self) -> None:
        """Start the fork server, which imports the heavy modules in the background."""
        # Two busy cores: idle OpenMP threads must sleep, not spin. Read when torch is imported,
        # so it has to be in the server's environment before it starts.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        os.environ.setdefault("OMP_NUM_THREADS", str(self._threads))
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        # Here and not at import: whoever only imports this module keeps multiprocessing as it is.
        child_environment.install()
        self._context.set_forkserver_preload(list_imports(self._warm_up_modules))
        await asyncio.to_thread(forkserver.ensure_running)

    async def run(self, entry: str, spec: Mapping[str, Any], on_report: OnReport) -> dict[str, Any]:
        """Run `entry` ("module:function") with `spec` in a child; reports are awaited in order.

        Cancelling kills the child.

        Raises:
            ChildFailed: the child said why it cannot do its work; trying again cannot help.
            ChildCrashed: it died, or its error may pass; trying again may help.
        """
        ours, process = await self._fork(child_main)
        log.info("child_started", entry=entry, pid=process.pid)
        try:
            request = self._request(entry, spec)
            return await self._exchange_messages(ours, process, request, on_report)
        finally:
            # Shielded: a cancelled run must not leave its child behind.
            await asyncio.shield(stop_child(ours, process))

    async def _fork(self, target: Callable[[Connection], None]) -> tuple[Connection, BaseProcess]:
        """Start a child that runs `target`; gives our end of its pipe."""
        await self.start_fork_server()
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=target, args=(theirs,), daemon=True)
        # A thread: the start waits until the fork server has imported its modules.
        await asyncio.to_thread(process.start)
        # The child has its own copy; while ours is open its end would not close the pipe.
        theirs.close()
        return ours, process

    def _request(self, entry: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        """What a child is sent: the work, and whose trace it belongs to."""
        return {
            "entry": entry,
            "spec": dict(spec),
            "service": f"{self._telemetry.service}.child",
            "traceparent": current_traceparent(),
            "tenant_id": read_span_tenant(trace.get_current_span()),
        }

    async def _exchange_messages(
        self,
        connection: Connection,
        process: BaseProcess,
        request: dict[str, Any],
        on_report: OnReport,
    ) -> dict[str, Any]:
        """Send the request and handle what the child says, up to its result.

        Raises:
            ChildFailed, ChildCrashed: see `run`.
        """
        try:
            connection.send_bytes(encode(request))
        except ConnectionError as error:
            raise await _crash_of(process) from error
        while True:
            try:
                message = orjson.loads(await _receive(connection))
            except (EOFError, ConnectionError) as error:
                raise await _crash_of(process) from error
            match message["type"]:
                case "span":
                    self._telemetry.add(parse_span_row(message["span"]))
                case "report":
                    await on_report(message["report"])
                case "result":
                    result: dict[str, Any] = message["result"]
                    return result
                case "error" if message["retryable"]:
                    raise ChildCrashed(message["message"])
                case _:
                    raise ChildFailed(message["message"], message["error_type"])


async def _crash_of(process: BaseProcess) -> ChildCrashed:
    """The error of a child whose pipe is closed; its exit status comes a moment later."""
    await asyncio.to_thread(process.join, STOP_SECONDS)
    return ChildCrashed(_describe_exit(process.exitcode))


async def _receive(connection: Connection) -> bytes:
    """Wait for the pipe without a thread, then read one message.

    The rest of a message follows its first byte at once, but it may be longer than the pipe holds:
    it is read in a thread. uvloop leaves a descriptor that it watched non-blocking, and a read of a
    long message would then fail with EAGAIN where it has to wait for the rest.
    """
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    descriptor = connection.fileno()
    loop.add_reader(descriptor, _notify_once(ready))
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
    os.set_blocking(descriptor, True)
    return await asyncio.to_thread(connection.recv_bytes)


def _notify_once(ready: asyncio.Future[None]) -> Callable[[], None]:
    def notify() -> None:
        if not ready.done():
            ready.set_result(None)

    return notify


async def stop_child(connection: Connection, process: BaseProcess) -> None:
    """End a child that is no longer needed."""
    connection.close()  # the child's watcher ends it when the pipe closes
    await asyncio.to_thread(process.join, STOP_SECONDS)
    if process.is_alive():
        process.kill()
        await asyncio.to_thread(process.join, STOP_SECONDS)
    with suppress(ValueError):
        process.close()


def _describe_exit(exit_code: int | None) -> str:
    if exit_code == -9:
        return "the child was killed (signal 9; out of memory is the usual reason)"
    if exit_code is not None and exit_code < 0:
        return f"the child died of signal {-exit_code}"
    return f"the child ended without an answer (exit code {exit_code})"
