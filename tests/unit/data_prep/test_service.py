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
    model_deployed,
    model_registered,
    model_rolled_back,
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

    async def deploy(self, version: str, *, by_person: bool = False) -> None:
        """Register and deploy a version that was trained on the newest dataset."""
        registered = model_registered(self.outbox.of(DatasetPrepared)[-1], version)
        await self.service.record_registration(TX, message_of(registered))
        deployed = model_deployed(registered, by_person=by_person)
        await self.service.record_deployment(TX, message_of(deployed))

    async def roll_back(self, version: str, from_version: str) -> None:
        event = model_rolled_back("picker", version, from_version)
        await self.service.record_rollback(TX, message_of(event))

    @property
    def known(self) -> dict[str, str]:
        """Input and target of all that is in memory."""
        return {item.key: item.target for item in self.store.memory.values()}


def dataset(*questions: str) -> PreparedSummary:
    result = prepare(
        preparation_inputs([record(q, id=q, target="b") for q in questions]), PreparationPolicy()
    )
    assert isinstance(result, PreparedDataset)
    return PreparedSummary(
        result.counts, result.quality, result.learned, result.reference_candidates
    )


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


async def test_what_was_learned_is_recalled_up_to_the_capacity() -> None:
    prep = FakeDataPrep(capacity=5)

    await prep.finish(prepare_dataset(), dataset(*(f"question {n * 7919}" for n in range(30))))
    await prep.deploy("1.0.0")

    assert len((await prep.service.read_memory(TX, prepare_dataset())).replay) == 5


async def test_a_window_whose_version_is_not_deployed_rewrites_nothing() -> None:
    prep = FakeDataPrep()
    prep.store.remember(item("a", "right"))

    await prep.finish(prepare_dataset(), dataset("a", "c"))

    assert prep.known == {"a": "right"}


async def test_a_correction_replaces_what_was_remembered_once_its_version_is_deployed() -> None:
    prep = FakeDataPrep()
    prep.store.remember(item("a", "wrong"))
    await prep.finish(prepare_dataset(), dataset("a"))

    await prep.deploy("1.0.0")

    assert prep.known == {"a": "b"}


async def test_a_rollback_takes_out_what_later_versions_brought_and_restores_the_rest() -> None:
    prep = FakeDataPrep()
    for version, questions in (("1.0.0", "a"), ("1.1.0", "ac"), ("1.2.0", "d")):
        await prep.finish(prepare_dataset(), dataset(*questions))
        await prep.deploy(version)

    await prep.roll_back("1.0.0", "1.2.0")

    assert set(prep.known) == {"a"}


async def test_a_version_that_is_deployed_again_brings_its_items_back() -> None:
    prep = FakeDataPrep()
    await prep.finish(prepare_dataset(), dataset("a"))
    await prep.deploy("1.0.0")
    await prep.finish(prepare_dataset(), dataset("c"))
    await prep.deploy("1.1.0")
    await prep.roll_back("1.0.0", "1.1.0")

    await prep.deploy("1.1.0", by_person=True)

    assert set(prep.known) == {"a", "c"}


async def test_a_rollback_to_a_version_of_unknown_data_takes_out_the_one_it_leaves() -> None:
    prep = FakeDataPrep()
    prep.store.remember(item("a"))
    await prep.finish(prepare_dataset(), dataset("c"))
    await prep.deploy("1.1.0")

    await prep.roll_back("0.9.0", "1.1.0")

    assert set(prep.known) == {"a"}


async def test_test_items_are_asked_from_the_deployment_of_their_version_on() -> None:
    prep, command = FakeDataPrep(), prepare_dataset()
    questions = dataset(*(f"question {n * 7919}" for n in range(40)))

    await prep.finish(command, questions)
    before = await prep.service.read_memory(TX, command)
    await prep.deploy("1.0.0", by_person=True)
    after = await prep.service.read_memory(TX, command)

    assert before.reference == ()
    assert {i.key for i in after.reference} == {i.key for i in questions.reference_candidates}
    assert not {i.key for i in after.reference} & {i.key for i in after.replay}


async def test_nothing_is_recalled_where_it_is_neither_replayed_nor_asked() -> None:
    prep = FakeDataPrep()
    prep.store.remember(item("a"))
    trusting = TrustPolicy(enabled=False)

    commands = (
        prepare_dataset(trust=trusting),
        prepare_dataset(),
        prepare_dataset(plan=plan(0.5)),
    )
    recalled = [len((await prep.service.read_memory(TX, each)).replay) for each in commands]

    assert recalled == [0, 1, 1]


async def test_a_sampling_secret_and_the_job_decide_the_seeds() -> None:
    command = prepare_dataset(seed=1)
    other_job = command.model_copy(update={"job_id": new_id()})
    secrets = (b"", b"one", b"two")
    services = [DataPrepService(None, None, None, PreparationPolicy(), s) for s in secrets]

    public, one, two = (service.derive_seeds(command) for service in services)
    another = services[1].derive_seeds(other_job)

    assert (public.job, public) == (1, services[0].derive_seeds(other_job))
    assert len({public.job, one.job, two.job, another.job}) == 4
    assert one == services[1].derive_seeds(command)
    assert one.agent == another.agent != two.agent


async def test_what_is_retracted_leaves_the_memory_and_does_not_come_back() -> None:
    prep, learned = FakeDataPrep(), dataset("a", "b")
    await prep.finish(prepare_dataset(), learned)
    order = EraseItems(agent_id="picker", item_ids=("a",))

    await prep.service.erase_items(TX, message_of(order))
    await prep.finish(prepare_dataset(), learned)
    await prep.deploy("1.0.0")

    assert {known.key for known in prep.store.memory.values()} == {"b"}
