"""Actions that a service repeats: sweeping, pruning, measuring."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from opentelemetry import metrics

from archon_contracts import telemetry
from shared.errors import RetryableError
from shared.logging import get_logger

log = get_logger(__name__)
failure_counter = metrics.get_meter(__name__).create_counter(
    telemetry.METRIC_PERIODIC_FAILURES, unit="{failure}"
)

# Long enough that a defect does not fill the log, short enough that a mended database row or a
# replaced file is noticed before somebody restarts the process.
LONGEST_BACKOFF_SECONDS = 60.0


class Periodic:
    """Calls `action` every so often, whatever it raises.

    What the process does for its messages and requests does not depend on one repeated action, so
    an error never ends the process: it is logged and counted, and readiness shows it as a warning
    until the action succeeds again.
    """

    def __init__(
        self, name: str, every_seconds: float, action: Callable[[], Awaitable[object]]
    ) -> None:
        self.name = name
        self._every = every_seconds
        self._action = action
        self._unforeseen = 0
        self.problem = ""
        """What the last call raised; empty after a call that succeeded."""

    async def run(self) -> None:
        """Call, wait, call again."""
        # An alert on its increase would miss a first failure that has no series before it.
        failure_counter.add(0, {telemetry.PERIODIC_ACTION: self.name})
        while True:
            await self.call()
            await asyncio.sleep(self.wait_seconds)

    async def call(self) -> None:
        """Call the action once."""
        try:
            await self._action()
        except RetryableError as error:
            # Nothing is wrong with the action: it may succeed at its next ordinary time.
            self._record(error)
            log.warning("periodic_action_failed", action=self.name, reason=self.problem)
        except Exception as error:
            self._unforeseen += 1
            self._record(error)
            log.error(
                "periodic_action_failed",
                action=self.name,
                reason=self.problem,
                wait_seconds=self.wait_seconds,
                exc_info=error,
            )
        else:
            self._unforeseen, self.problem = 0, ""

    @property
    def wait_seconds(self) -> float:
        """Seconds until the next call: twice as many after each unforeseen error in a row."""
        # The exponent is bounded because 2.0 ** 1024 overflows, which a day of errors would reach.
        doubled = self._every * 2.0 ** min(self._unforeseen, 16)
        return min(doubled, max(self._every, LONGEST_BACKOFF_SECONDS))

    def _record(self, error: Exception) -> None:
        self.problem = str(error) or type(error).__name__
        failure_counter.add(1, {telemetry.PERIODIC_ACTION: self.name})
