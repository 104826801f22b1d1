"""Keeps the components of the local system running; stops them in reverse order of their start."""

import asyncio
import signal
from collections.abc import Callable, Sequence

from deploy.local.errors import LocalRuntimeError, StartError
from deploy.local.processes.backoff import Backoff
from deploy.local.processes.component import POLL_SECONDS
from deploy.local.processes.ports import Component
from deploy.local.processes.status import ProcessStatus
from deploy.local.processes.watch import Watch

# A component that dies this often before it was ever ready will not come up by being tried again.
DEATHS_BEFORE_GIVING_UP = 3


class Supervisor:
    """Starts components in stages: each stage's components together, once those before it are
    ready.
    """

    def __init__(
        self,
        *,
        ready_timeout_seconds: float = 60.0,
        stop_timeout_seconds: float = 10.0,
        backoff: Backoff | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._ready_timeout_seconds = ready_timeout_seconds
        self._stop_timeout_seconds = stop_timeout_seconds
        self._backoff = backoff or Backoff()
        self._on_change = on_change
        self._stages: list[list[Watch]] = []

    async def start(self, components: Sequence[Component]) -> None:
        """Start `components` as the next stage and return when all of them are ready.

        Raises:
            StartError: one keeps dying, or is not ready in time. Others go on until `stop`.
        """
        stage = [Watch(component, self._backoff, self._on_change) for component in components]
        self._stages.append(stage)
        for watch in stage:
            watch.start()
        try:
            async with asyncio.TaskGroup() as group:
                for watch in stage:
                    group.create_task(self._until_ready(watch))
        except* LocalRuntimeError as failures:
            # One sentence is enough: the components of a stage mostly fail for the same reason.
            raise failures.exceptions[0] from None

    def status(self) -> list[ProcessStatus]:
        """Describe every component, in the order of their start."""
        return [watch.status for stage in self._stages for watch in stage]

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the process of component `name` a signal, as a fault would; it is then restarted.

        Raises:
            KeyError: no component has that name.
        """
        watches = {watch.component.name: watch for stage in self._stages for watch in stage}
        watches[name].send_signal(number)

    async def stop(self) -> None:
        """Stop the stages in reverse order, the components of a stage at once; none is left."""
        while self._stages:
            stage = self._stages[-1]
            await asyncio.gather(*(watch.stop(self._stop_timeout_seconds) for watch in stage))
            self._stages.pop()

    async def _until_ready(self, watch: Watch) -> None:
        try:
            async with asyncio.timeout(self._ready_timeout_seconds):
                while not watch.status.ready:
                    is_hopeless = watch.is_unusable or watch.restarts >= DEATHS_BEFORE_GIVING_UP
                    if watch.failure and is_hopeless:
                        raise watch.failure
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            reason = f"was not ready after {self._ready_timeout_seconds:.0f} seconds"
            raise StartError(watch.component.name, reason, watch.component.log_path) from None
