"""The life of one supervised component: started, watched, started again when it dies, stopped."""

import asyncio
import signal
import time
from collections.abc import Callable

import structlog

from deploy.local.errors import LocalRuntimeError, StartError, UnusableChoiceError
from deploy.local.processes.backoff import Backoff
from deploy.local.processes.child import Child
from deploy.local.processes.component import POLL_SECONDS
from deploy.local.processes.ports import Component
from deploy.local.processes.status import ProcessState, ProcessStatus

log = structlog.get_logger()

# A component that is up is asked only now and then: asking ten of them costs nothing visible.
RECHECK_SECONDS = 2.0


class Watch:
    """Keeps one component running until `stop`; `on_change` is called after each change of its
    status.

    `failure` says how the component last ended, `restarts` how often it did; `exit_code` is the
    code of the last process that ended, negative where a signal ended it.
    """

    def __init__(
        self, component: Component, backoff: Backoff, on_change: Callable[[], None]
    ) -> None:
        self.component = component
        self.restarts = 0
        self.failure: LocalRuntimeError | None = None
        self.exit_code: int | None = None
        self._backoff = backoff
        self._on_change = on_change
        self._state = ProcessState.STOPPED
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> ProcessStatus:
        """What is known without asking the process."""
        pid = self._child.pid if self._child and self._child.returncode is None else None
        return ProcessStatus(
            name=self.component.name,
            pid=pid,
            state=self._state,
            restarts=self.restarts,
            exit_code=self.exit_code,
            port=self.component.port,
        )

    @property
    def is_unusable(self) -> bool:
        """Whether it never ran, and cannot before the caller has chosen otherwise."""
        return self._child is None and isinstance(self.failure, UnusableChoiceError)

    def start(self) -> None:
        """Begin to keep the component running."""
        self._task = asyncio.create_task(self._keep_running(), name=f"watch {self.component.name}")

    def send_signal(self, number: signal.Signals) -> None:
        """Send the component's process a signal, as a fault would."""
        if self._child is not None:
            self._child.send_signal(number)

    async def stop(self, deadline_seconds: float) -> None:
        """End the component for good: asked first, killed after the deadline."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._child is not None:
            await self._child.stop(deadline_seconds)
        self._enter(ProcessState.STOPPED)

    async def _keep_running(self) -> None:
        failures = 0
        while True:
            self._enter(ProcessState.STARTING)
            started = time.monotonic()
            self.failure = await self._run_once()
            if self.is_unusable:
                return  # to try again would say the same, after lines about restarts
            failures = self._backoff.next_failures(failures, time.monotonic() - started)
            delay = self._backoff.delay_seconds(failures)
            self.restarts += 1
            log.warning("component_died", component=self.component.name, restart_in_seconds=delay)
            self._enter(ProcessState.WAITING_TO_RESTART)
            await asyncio.sleep(delay)

    async def _run_once(self) -> LocalRuntimeError:
        """Run the component until it ends and say how it ended."""
        try:
            self._child = await self.component.launch()
        except LocalRuntimeError as error:
            return error
        self._on_change()
        self.exit_code = await self._observe(self._child)
        return StartError(
            self.component.name, f"ended with {self.exit_code}", self.component.log_path
        )

    async def _observe(self, child: Child) -> int:
        """Follow the readiness of `child` until it ends."""
        ended = asyncio.create_task(child.wait())
        try:
            while not ended.done():
                is_ready = await self.component.is_ready()
                if ended.done():
                    break
                self._update_readiness(is_ready)
                pause = RECHECK_SECONDS if is_ready else POLL_SECONDS
                await asyncio.wait({ended}, timeout=pause)
            return await ended
        finally:
            ended.cancel()

    def _update_readiness(self, is_ready: bool) -> None:
        if is_ready:
            self._enter(ProcessState.READY)
        elif self._state is ProcessState.READY:
            self._enter(ProcessState.NOT_READY)

    def _enter(self, state: ProcessState) -> None:
        if state is self._state:
            return
        self._state = state
        self._on_change()
