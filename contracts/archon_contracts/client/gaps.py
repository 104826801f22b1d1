"""Records that were deleted before they were read: reported with their offsets, never passed over
in silence.

Retention deletes by age or size, read or not. A consumer whose next offset is gone goes on with the
first one that is there, and aiokafka says so in a line that names neither of both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archon_contracts.client.patches import Fetch, offsets_out_of_range, valid_offsets, wrap_fetches

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer


@dataclass(frozen=True, slots=True)
class OffsetGap:
    """A partition is read on at `resumed_at`, though `expected` would have been next.

    `resumed_at` below `expected`: the topic was made again, or its end was lost.
    """

    topic: str
    partition: int
    expected: int
    resumed_at: int

    def __str__(self) -> str:
        place = f"{self.topic}[{self.partition}]"
        if self.resumed_at < self.expected:
            return (
                f"{place} has no offset {self.expected} any more and is read on from "
                f"{self.resumed_at}: the topic was made again, or its end was lost"
            )
        return (
            f"offsets {self.expected} to {self.resumed_at - 1} of {place} were deleted before "
            "they were read; see the topic's retention"
        )


def report_gaps(consumer: AIOKafkaConsumer, report: Callable[[OffsetGap], None]) -> None:
    """Let a started consumer call `report` for each gap that it meets from now on."""
    expected: dict[Any, int] = {}

    def wrap(fetch: Fetch) -> Fetch:
        async def observed_fetch(assignment: Any, node_id: int, request: Any) -> bool:
            before = valid_offsets(assignment)
            for partition in expected.keys() & before.keys():
                resumed, was = before[partition], expected.pop(partition)
                report(OffsetGap(partition.topic, partition.partition, was, resumed))
            brought = await fetch(assignment, node_id, request)
            for partition in offsets_out_of_range(assignment) & before.keys():
                expected[partition] = before[partition]
            return brought

        return observed_fetch

    wrap_fetches(consumer, wrap)
