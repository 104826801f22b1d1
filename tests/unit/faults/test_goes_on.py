"""A probe with a backlog goes on as long as anything moves."""

from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import pytest

from tests.faults import waiting
from tests.faults.brokers.servers import Servers
from tests.faults.probes import Fleet
from tests.faults.workload.load import CommandLoad


class Backlog:
    """A database in which so many more effects of events appear before the command's own."""

    def __init__(self, pending_before: int) -> None:
        self._left = pending_before
        self._seen = 0

    def reader(self) -> "Backlog":
        return self

    async def value(self, query: str, *arguments: object) -> int:
        if "event_id = $1" in query:
            return int(self._left == 0 and self._seen > 0)
        if "outbox" in query or arguments:
            return 7  # dead letters, and commands taken, which are all done
        self._seen, self._left = self._seen + bool(self._left), max(0, self._left - 1)
        return self._seen


class Load:
    async def send_witness(self) -> UUID:
        return uuid4()


@pytest.mark.parametrize(("pending_before", "goes_on"), [(8, True), (0, False)])
async def test_events_that_are_read_before_the_command_are_movement(
    pending_before: int, goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)
    probes = Fleet(cast("Servers", Backlog(pending_before)), folder=Path("unused"), schema="probe")
    assert await probes.goes_on(cast("CommandLoad", Load()), stall_seconds=0.2) is goes_on
