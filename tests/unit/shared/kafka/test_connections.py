"""A fault of a connection shows in one metric while it lasts, under its present reason."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

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


def test_four_connections_that_fail_for_minutes_cost_a_line_each_and_then_two_a_minute(
    counter: FakeCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, names = [1000.0], ("feedback", "letters", "relay", "intake")
    monkeypatch.setattr(connections.time, "monotonic", lambda: now[0])
    states = ConnectionStates()
    with capture_logs() as lines:
        for _ in range(300):
            for name in names:
                states.report(name, "away")
            now[0] += 1
    failed = [line for line in lines if line["event"] == "kafka_connection_failed"]
    lasting = [line for line in lines if line["event"] == "kafka_connections_still_failing"]
    assert [line["connection"] for line in failed] == list(names)
    assert len(lasting) == len(lines) - len(failed) == 9
    assert lasting[0]["failures"] == {**dict.fromkeys(names, 30), "feedback": 31}
    assert "letters: away" in lasting[0]["reasons"]
