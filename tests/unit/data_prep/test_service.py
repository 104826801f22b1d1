"""What data preparation does with orders and results."""

from archon_contracts.commands import EraseItems
from archon_contracts.events import DatasetPrepared, DatasetRejected
from archon_contracts.identifiers import new_id
from archon_contracts.values import TrustPolicy
from services.data_prep.domain import PreparationPolicy, PreparedDataset, PreparedSummary
from services.data_prep.pipeline import prepare
from services.data_prep.service import DataPrepService
from shared.messaging.messages import Cause
from tests.support.data.datasets import (
    REF,
    FakeDatasetStore,
    item,
    plan,
    preparation_inputs,
    prepare_dataset,
    record,
)
from tests.support.messaging.messages import message_of
from tests.support.messaging.open_work import OpenWork
from tests.support.messaging.outbox import RecordingOutbox

TX = object()


class FakeDataPrep:
    """A service on fakes."""

    def __init__(self, capacity: int = 100) -> None:
        self.store = FakeDatasetStore()
        self.outbox = RecordingOutbox()
        self.work = OpenWork()
        policy = PreparationPolicy(replay_capacity=capacity)
        self.service = DataPrepService(self.store, self.outbox, self.work, policy)

    async def finish(self, command, prepared: PreparedSummary) -> None:
        cause = Cause(new_id(), "c")
        await self.service.record_prepared(TX, command, prepared, REF, cause)


def dataset(*questions: str) -> PreparedSummary:
    result = prepare(
        preparation_inputs([record(q, id=q, target="b") for q in questions]), PreparationPolicy()
    )
    assert isinstance(result, PreparedDataset)
    return PreparedSummary(result.counts, result.quality, result.learned)


async def test_an_order_becomes_work() -> None:
    prep, command = FakeDataPrep(), prepare_dataset()

    await prep.service.queue_preparation(TX, message_of(command))

    assert prep.work.open == {f"prepare {command.job_id}": [command.to_json()]}


async def test_an_order_that_was_carried_out_is_answered_again_without_work() -> None:
    prep, command = FakeDataPrep(), prepare_dataset()
    await prep.finish(command, dataset("a"))

    await prep.service.queue_preparation(TX, message_of(command))

    first, second = prep.outbox.of(DatasetPrepared)
    assert (first, prep.work.open) == (second, {})


async def test_two_workers_that_carried_out_one_order_give_one_version() -> None:
    prep, command = FakeDataPrep(), prepare_dataset()

    await prep.finish(command, dataset("a"))
    await prep.finish(command, dataset("a"))

    assert [event.dataset_version for event in prep.outbox.of(DatasetPrepared)] == [1, 1]


async def test_versions_of_an_agent_have_no_gap() -> None:
    prep = FakeDataPrep()

    for _ in range(3):
        await prep.finish(prepare_dataset(), dataset("a"))
    await prep.service.record_rejected(TX, prepare_dataset(), "no", None, Cause(new_id(), "c"))
    await prep.finish(prepare_dataset(), dataset("a"))

    versions = [event.dataset_version for event in prep.outbox.of(DatasetPrepared)]
    assert versions == [1, 2, 3, 4]
    assert len(prep.outbox.of(DatasetRejected)) == 1


async def test_what_was_learned_is_remembered_up_to_the_capacity() -> None:
    prep = FakeDataPrep(capacity=5)

    await prep.finish(prepare_dataset(), dataset(*(f"question {n * 7919}" for n in range(30))))

    assert len(prep.store.memory) == 5


async def test_a_correction_replaces_what_was_remembered() -> None:
    prep = FakeDataPrep()
    prep.store.memory["a"] = item("a", "wrong")

    await prep.finish(prepare_dataset(), dataset("a"))

    assert [known.target for known in prep.store.memory.values()] == ["b"]


async def test_nothing_is_recalled_where_it_is_neither_replayed_nor_asked() -> None:
    prep = FakeDataPrep()
    prep.store.memory["a"] = item("a")
    trusting = TrustPolicy(enabled=False)

    without = await prep.service.read_replay_items(TX, prepare_dataset(trust=trusting))
    asked = await prep.service.read_replay_items(TX, prepare_dataset())
    with_replay = await prep.service.read_replay_items(TX, prepare_dataset(plan=plan(0.5)))

    assert (without, len(asked), len(with_replay)) == ([], 1, 1)


async def test_what_is_retracted_leaves_the_memory_and_does_not_come_back() -> None:
    prep, learned = FakeDataPrep(), dataset("a", "b")
    await prep.finish(prepare_dataset(), learned)
    order = EraseItems(agent_id="picker", item_ids=("a",))

    await prep.service.erase_items(TX, message_of(order))
    await prep.finish(prepare_dataset(), learned)

    assert {known.key for known in prep.store.memory.values()} == {"b"}
