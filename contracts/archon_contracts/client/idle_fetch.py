"""Pauses between empty fetches, for a broker that answers Fetch at once instead of long-polling.

Without a pause, one idle consumer of such a broker asks thousands of times a second. Apache Kafka
holds an empty fetch back by itself and needs none of this: leave the wait at 0 there.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

    from archon_contracts.client.patches import Fetch

FIRST_WAIT_SECONDS: Final = 0.002


class IdleFetchBackoff:
    """How long to wait after an empty fetch, per broker node: 2 ms, doubling to the maximum."""

    def __init__(self, maximum_wait_seconds: float) -> None:
        self._maximum = maximum_wait_seconds
        self._next: dict[int, float] = {}

    def after_empty(self, node_id: int) -> float:
        """The seconds to wait now; the next empty fetch of this node waits twice as long."""
        wait = min(self._next.get(node_id, FIRST_WAIT_SECONDS), self._maximum)
        self._next[node_id] = wait * 2
        return wait

    def after_data(self, node_id: int) -> None:
        """Start again from the shortest wait."""
        self._next.pop(node_id, None)


def pace_idle_fetches(consumer: AIOKafkaConsumer, *, maximum_wait_seconds: float) -> None:
    """Make a started consumer wait after each empty fetch; a maximum of 0 changes nothing."""
    if maximum_wait_seconds <= 0:
        return
    # Imported late: this module is offered to those who have no aiokafka, too.
    from archon_contracts.client.patches import wrap_fetches

    wrap_fetches(consumer, lambda fetch: _paced(fetch, IdleFetchBackoff(maximum_wait_seconds)))


def _paced(fetch: Fetch, pace: IdleFetchBackoff) -> Fetch:
    async def paced_fetch(assignment: Any, node_id: int, request: Any) -> bool:
        # The consumer's close() cancels this task and awaits it: a cancel must end here.
        with contextlib.suppress(asyncio.CancelledError):
            if await fetch(assignment, node_id, request):
                pace.after_data(node_id)
                return True
            task = asyncio.current_task()
            if task is not None and not task.cancelling():  # `fetch` may have swallowed a cancel
                await asyncio.sleep(pace.after_empty(node_id))
        return False

    return paced_fetch
