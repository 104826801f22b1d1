"""What a consumer waits for in silence is named once it has lasted, however rarely one looks."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from archon_contracts.client import healing
from archon_contracts.client.healing import ReadOutage

PARTITIONS = (TopicPartition("topic", 1), TopicPartition("topic", 0))


class LedConsumer:
    """Assigned two partitions, of which some have no leader."""

    def __init__(self) -> None:
        self.leaders: dict[TopicPartition, int | None] = dict.fromkeys(PARTITIONS, 1)
        self._coordinator = SimpleNamespace(coordinator_id=1)
        self._client = SimpleNamespace(
            cluster=SimpleNamespace(leader_for_partition=self.leaders.get)
        )

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self.leaders)


@pytest.mark.parametrize("leader", [None, -1])
def test_a_partition_without_a_leader_is_named(leader: int | None) -> None:
    consumer = LedConsumer()
    outage = ReadOutage(consumer)
    assert outage.describe(0.0) == ""
    consumer.leaders[PARTITIONS[1]] = leader
    assert "topic[0]" in outage.describe(0.0)
    consumer.leaders[PARTITIONS[1]] = 2
    assert outage.describe(0.0) == ""


def test_what_began_unseen_has_lasted_since_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy subscription does not look for minutes."""
    now = [0.0]
    monkeypatch.setattr(healing.time, "monotonic", lambda: now[0])
    consumer = LedConsumer()
    outage = ReadOutage(consumer)
    now[0] = 600.0
    consumer._coordinator.coordinator_id = None
    assert outage.describe(3.0) == ""
    now[0] += 3.0
    assert "no coordinator" in outage.describe(3.0)
