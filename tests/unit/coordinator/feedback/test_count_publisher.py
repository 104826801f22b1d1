"""How often counts are published."""

from datetime import datetime

import pytest

from archon_contracts.events import FeedbackCounted
from services.coordinator.domain import AgentKey
from services.coordinator.feedback import count_publisher
from services.coordinator.feedback.count_publisher import MESSAGES_PER_SECOND, CountPublisher
from services.coordinator.feedback.counting import FeedbackCounter
from shared.messaging.notifier import Notifier
from tests.support.coordinator.coordinator_memory import MemoryDatabase
from tests.support.messaging.messages import NOON
from tests.support.messaging.outbox import RecordingOutbox


class PauseBegan(Exception):
    """The publisher has published, and pauses."""


class CountsOf:
    """One transaction's counts of so many agents."""

    def __init__(self, agents: int) -> None:
        counter = FeedbackCounter(NOON)
        for number in range(agents):
            counter._of(AgentKey("default", f"agent-{number}"), None).feedback += 1
        self.left = [counter.encode()]

    async def claim_pending_counts(self, _tx: object, _most: int) -> list[bytes]:
        """What was not claimed before."""
        claimed, self.left = self.left, []
        return claimed

    async def unused_feedback(
        self, _tx: object, keys: set[AgentKey]
    ) -> dict[AgentKey, tuple[int, datetime]]:
        """Twelve of every agent."""
        return dict.fromkeys(keys, (12, NOON))


@pytest.mark.parametrize(("agents", "seconds"), [(1, 1.0), (100, 1.0), (700, 7.0)])
async def test_counts_of_many_agents_are_published_more_rarely(
    monkeypatch: pytest.MonkeyPatch, agents: int, seconds: float
) -> None:
    pauses: list[float] = []

    async def pause(wanted: float) -> None:
        pauses.append(wanted)
        raise PauseBegan

    monkeypatch.setattr(count_publisher.asyncio, "sleep", pause)
    outbox = RecordingOutbox()
    publisher = CountPublisher(MemoryDatabase(), Notifier(), CountsOf(agents), outbox)  # type: ignore[arg-type]  # stand-ins

    with pytest.raises(PauseBegan):
        await publisher.run()

    assert MESSAGES_PER_SECOND == 100
    assert pauses == [seconds]


async def test_an_event_says_how_much_feedback_its_agent_has_in_no_window() -> None:
    outbox = RecordingOutbox()

    await CountPublisher(MemoryDatabase(), Notifier(), CountsOf(1), outbox).publish()  # type: ignore[arg-type]  # stand-ins

    (event,) = outbox.of(FeedbackCounted)
    assert (event.unused, event.unused_at) == (12, NOON)
