"""A topic is made when whoever connects next finds it, at whichever node."""

import asyncio
from collections import Counter

from aiokafka.errors import KafkaConnectionError

from shared.kafka.topic_admin import wait_until_known


class Nodes:
    """Each learns of the topic at its own number of questions."""

    def __init__(self, **learns_at: int) -> None:
        self._learns_at = [learns_at[name] for name in sorted(learns_at)]
        self.asked: Counter[int] = Counter()

    async def topics(self, node: int) -> set[str]:
        self.asked[node] += 1
        if self._learns_at[node] == 0:
            raise KafkaConnectionError("gone")
        return {"other", "new"} if self.asked[node] >= self._learns_at[node] else {"other"}


async def test_every_node_is_asked_until_it_knows_the_topic() -> None:
    nodes = Nodes(a=1, b=3)
    await wait_until_known(["new"], [0, 1], nodes.topics)
    assert nodes.asked == {0: 1, 1: 3}


async def test_a_node_that_is_away_is_left_out() -> None:
    nodes = Nodes(a=0, b=2)
    await wait_until_known(["new"], [0, 1], nodes.topics)
    assert nodes.asked == {0: 1, 1: 2}


async def test_who_may_not_see_what_was_made_is_not_kept_for_long() -> None:
    nodes = Nodes(a=1_000_000)
    await wait_until_known(["new"], [0], nodes.topics, most_seconds=0.5)
    assert 1 < nodes.asked[0] < 50


async def test_a_node_that_never_answers_is_left_out_in_time() -> None:
    async def silent(_node: int) -> set[str]:
        await asyncio.Event().wait()
        return set()

    async with asyncio.timeout(5):
        await wait_until_known(["new"], [0, 1], silent, most_seconds=0.05)
