"""What is wrong with the connections to Kafka now: in readiness, in one metric, and, sparingly, in
the log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from opentelemetry import metrics

from archon_contracts import telemetry
from shared.logging import get_logger

REPORT_SECONDS: Final = 30.0

log = get_logger(__name__)
meter = metrics.get_meter(__name__)
faults_now = meter.create_up_down_counter(
    telemetry.METRIC_KAFKA_FAULTS,
    unit="{connection}",
    description="Connections to Kafka that do not work now, by connection and reason.",
)


@dataclass(slots=True)
class _ConnectionFault:
    reason: str
    since: float
    failures: int = 0


class ConnectionStates:
    """The faults of a process's connections, by the name of the connection.

    A change is logged once, and what lasts every 30 s with the number of failures since: all of it
    in one line, since an outage takes all connections of a process at a time.
    """

    def __init__(self) -> None:
        self._faults: dict[str, _ConnectionFault] = {}
        self._logged_at = 0.0

    def report(self, connection: str, reason: str) -> None:
        """The connection does not do its work."""
        fault = self._faults.get(connection)
        if fault is None:
            fault = self._faults[connection] = _ConnectionFault(reason, time.monotonic())
            _count(connection, reason, 1)
            if len(self._faults) == 1:
                self._logged_at = fault.since
            log.warning("kafka_connection_failed", connection=connection, reason=reason)
        if fault.reason != reason:
            _count(connection, fault.reason, -1)
            _count(connection, reason, 1)
            fault.reason = reason
        fault.failures += 1
        now = time.monotonic()
        if now - self._logged_at >= REPORT_SECONDS:
            self._logged_at = now
            log.warning(
                "kafka_connections_still_failing",
                reasons=self.summary(),
                failures={name: each.failures for name, each in self._faults.items()},
                seconds={name: round(now - each.since) for name, each in self._faults.items()},
            )

    def clear(self, connection: str) -> None:
        """The connection does its work (again)."""
        if fault := self._faults.pop(connection, None):
            _count(connection, fault.reason, -1)
            log.info(
                "kafka_connection_restored",
                connection=connection,
                failures=fault.failures,
                seconds=round(time.monotonic() - fault.since),
            )

    def summary(self) -> str:
        """All faults in one line; empty: none."""
        return "; ".join(f"{name}: {fault.reason}" for name, fault in self._faults.items())


def _count(connection: str, reason: str, change: int) -> None:
    faults_now.add(change, {"connection": connection, "reason": reason})
