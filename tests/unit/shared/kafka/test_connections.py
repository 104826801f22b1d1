"""A fault of a connection shows in one metric while it lasts, under its present reason."""

from __future__ import annotations

import pytest

from shared.kafka import connections
from shared.kafka.connections import ConnectionStates


class FakeCounter:
    """What was counted, by connection and reason."""

    def __init__(self) -> None:
        self.now: dict[tuple[str, str], int] = {}

    def add(self, change: int, attributes: dict[str, str]) -> None:
        key = attributes["connection"], attributes["reason"]
        self.now[key] = self.now.get(key, 0) + change


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> FakeCounter:
    counter = FakeCounter()
    monkeypatch.setattr(connections, "faults_now", counter)
    return counter


def test_a_fault_is_counted_once_under_its_latest_reason_until_it_is_over(
    counter: FakeCounter,
) -> None:
    states = ConnectionStates()
    for reason in ("away", "away", "no right"):
        states.report("relay", reason)
    assert counter.now == {("relay", "away"): 0, ("relay", "no right"): 1}
    assert states.summary() == "relay: no right"
    states.clear("relay")
    states.clear("relay")
    assert counter.now == {("relay", "away"): 0, ("relay", "no right"): 0}
