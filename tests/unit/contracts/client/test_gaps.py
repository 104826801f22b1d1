"""A lost offset is a gap where its partition is read on elsewhere, not where a rebalance came."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition

from archon_contracts.client.healing import OffsetGap, report_gaps

PARTITION = TopicPartition("topic", 0)


@dataclass
class PartitionState:
    position: int
    awaiting_reset: bool = False

    @property
    def has_valid_position(self) -> bool:
        return not self.awaiting_reset


@dataclass
class OnePartition:
    """An assignment of aiokafka's, as far as the fetches look at it."""

    state: PartitionState
    tps: frozenset[TopicPartition] = field(default=frozenset({PARTITION}))

    def state_value(self, partition: TopicPartition) -> PartitionState:
        return self.state


class FetchingConsumer:
    """Its fetches find that the next offset is gone."""

    def __init__(self) -> None:
        self._fetcher = self

    async def _proc_fetch_request(self, assignment: OnePartition, *_: Any) -> bool:
        assignment.state.awaiting_reset = assignment.state.position == 2
        return False


@pytest.mark.parametrize("is_rebalanced", [False, True])
async def test_only_the_same_assignment_has_a_gap(is_rebalanced: bool) -> None:
    consumer, gaps = FetchingConsumer(), list[OffsetGap]()
    report_gaps(consumer, gaps.append)
    before = OnePartition(PartitionState(2))
    await consumer._proc_fetch_request(before, 0, None)

    after = OnePartition(before.state) if is_rebalanced else before
    after.state = PartitionState(7)
    await consumer._proc_fetch_request(after, 0, None)

    assert gaps == ([] if is_rebalanced else [OffsetGap("topic", 0, 2, 7)])
