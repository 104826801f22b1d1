"""Batches of feedback records, on the store in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import pytest

from services.coordinator.domain import AgentKey
from services.coordinator.feedback.consumer import FeedbackConsumer, FeedbackWriter
from services.coordinator.feedback.known_agents import ConfiguredAgentsCache
from services.coordinator.feedback.records import FeedbackRow
from services.coordinator.feedback.stats import FeedbackStats, InsertResult
from shared.errors import ConstraintViolated, TransactionConflict
from shared.messaging.messages import RawRecord
from shared.messaging.notifier import Notifier
from tests.support.clocks import SetClock
from tests.support.coordinator.coordinator import configure, feedback, record_of
from tests.support.coordinator.coordinator_memory import (
    InMemoryCoordinator,
    MemoryDatabase,
)
from tests.support.coordinator.memory_feedback import MemoryFeedback
from tests.support.messaging.messages import NOON, message_of
from tests.support.messaging.outbox import RecordingOutbox


class RejectingFeedback(MemoryFeedback):
    """A database that refuses one interaction, for good or for now."""

    poison = ""
    error: Exception = ConstraintViolated("the row breaks a rule", "rule")

    async def insert_feedback(
        self,
        _tx: object,
        feedback: Sequence[FeedbackRow],
        _agents: Mapping[AgentKey, int],
        _received_at: datetime,
    ) -> InsertResult:
        if self.poison in {each.interaction_id for each in feedback}:
            raise self.error
        return await super().insert_feedback(None, feedback, _agents, _received_at)


class DeadLetterOutbox(RecordingOutbox):
    """Keeps what was refused."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[bytes | None, str] = {}

    async def append_dead_letter(
        self, _tx: object, record: RawRecord, *, error: Exception, attempts: int
    ) -> bool:
        self.reasons[record.value] = str(error)
        return True


class IntakeHarness:
    """An intake and what it touched."""

    def __init__(self, part: int = 2_000) -> None:
        self.world = InMemoryCoordinator()
        self.feedback = RejectingFeedback(self.world.store)
        self.letters = DeadLetterOutbox()
        database = MemoryDatabase()
        self.consumer = FeedbackConsumer(
            database,  # type: ignore[arg-type]  # transactions are all that is used of it
            Notifier(),
            ConfiguredAgentsCache(database, self.feedback, wait_seconds=0),  # type: ignore[arg-type]  # as above
            FeedbackWriter(self.feedback, self, self.letters, SetClock(NOON)),
            maximum_bytes=10_000,
            part=part,
        )
        self.considered: list[FeedbackStats] = []

    async def evaluate_triggers(
        self, _tx: object, changed: Sequence[FeedbackStats], _answers: object
    ) -> None:
        """Stands in for the triggers."""
        self.considered += changed

    async def evaluate_withdrawal(self, _tx: object, _stats: FeedbackStats) -> None:
        """Stands in for the withdrawals."""

    async def configure(self) -> None:
        await self.world.agents.configure_agent(None, message_of(configure()))

    @property
    def stored(self) -> list[str]:
        """Interactions in the order in which they were stored."""
        return [each.row.interaction_id for each in self.feedback.rows.values()]


async def bench(part: int = 2_000) -> IntakeHarness:
    """An intake whose one agent is configured."""
    made = IntakeHarness(part)
    await made.configure()
    return made


async def test_parts_are_stored_in_order_whatever_their_size() -> None:
    made = await bench(part=3)

    await made.consumer.consume([record_of(feedback(f"i{n}")) for n in range(10)])

    assert made.stored == [f"i{n}" for n in range(10)]


async def test_the_trigger_is_evaluated_once_per_part_and_agent() -> None:
    made = await bench(part=5)

    await made.consumer.consume([record_of(feedback(f"i{n}")) for n in range(10)])

    assert [stats.unused for stats in made.considered] == [5, 10]


async def test_a_row_that_the_database_rejects_becomes_a_dead_letter_alone() -> None:
    made = await bench()
    made.feedback.poison = "i3"
    records = [record_of(feedback(f"i{n}")) for n in range(8)]

    await made.consumer.consume(records)

    assert made.stored == [f"i{n}" for n in range(8) if n != 3]
    assert made.letters.reasons == {records[3].value: "the row breaks a rule"}


async def test_a_transaction_conflict_is_left_to_the_retry() -> None:
    made = await bench()
    made.feedback.poison, made.feedback.error = "i1", TransactionConflict("deadlock")

    with pytest.raises(TransactionConflict):
        await made.consumer.consume([record_of(feedback("i1"))])

    assert made.letters.reasons == {}


async def test_feedback_of_an_unknown_agent_is_set_aside_and_the_rest_is_stored() -> None:
    made = await bench()
    lost = record_of(feedback("i1", "nobody"))

    await made.consumer.consume([lost, record_of(feedback("i2"))])

    assert made.stored == ["i2"]
    assert "agent nobody is not configured" in made.letters.reasons[lost.value]


async def test_an_empty_batch_is_settled() -> None:
    made = await bench()

    await made.consumer.consume([])

    assert made.stored == []
