"""Datasets on a real database and artifact store, prepared by a real worker."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from archon_contracts.commands import DataSource, EraseItems, PrepareDataset, SourceKind
from archon_contracts.events import DatasetPrepared, DatasetRejected
from archon_contracts.values import AgentKind
from services.data_prep.domain import Item
from tests.support.data.data_preparation import RunningDataPrep, corrections, jsonl
from tests.support.data.datasets import REF, model_rolled_back, plan, prepare_dataset
from tests.support.data.raters import memory, rated
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.training.tampering import flip_a_bit

CATALOGUE = [{"name": name, "description": f"does {name}"} for name in ("refund", "status")]


@pytest.fixture
async def prep(database_url: str, tmp_path: Path) -> AsyncIterator[RunningDataPrep]:
    settings = probe_settings(
        database_url, service="data_prep", artifacts_url=f"file://{tmp_path}/artifacts"
    )
    async with open_service_context(settings) as shared:
        yield RunningDataPrep(shared)


async def prepared(prep: RunningDataPrep, *commands: PrepareDataset) -> list[DatasetPrepared]:
    events = await prep.execute(*commands)
    assert all(isinstance(event, DatasetPrepared) for event in events), events
    return [event for event in events if isinstance(event, DatasetPrepared)]


async def rejected(prep: RunningDataPrep, command: PrepareDataset) -> DatasetRejected:
    (event,) = await prep.execute(command)
    assert isinstance(event, DatasetRejected)
    return event


async def test_feedback_becomes_a_dataset_with_its_lineage(prep: RunningDataPrep) -> None:
    source = await prep.source(corrections(40))

    (event,) = await prepared(prep, prepare_dataset(source))

    assert (event.dataset_version, event.items) == (1, {"train": 28, "validation": 6, "test": 6})
    card = orjson.loads(await prep.shared.artifacts.read(event.artifact, "dataset.json"))
    assert card["sources"][0]["digest"] == source.artifact.digest
    ids = await prep.shared.artifacts.read(event.artifact, "feedback_ids.txt")
    assert ids.decode().split() == sorted(f"question-{n}" for n in range(40))


async def test_the_same_order_twice_gives_the_same_dataset(prep: RunningDataPrep) -> None:
    command = prepare_dataset(await prep.source(corrections(20)))

    first, second = await prepared(prep, command, command)

    assert first == second


async def test_another_job_with_the_same_data_gets_a_version_of_its_own_and_the_same_files(
    prep: RunningDataPrep,
) -> None:
    source = await prep.source(corrections(20))
    prep.deploys = False

    first, second = await prepared(prep, prepare_dataset(source), prepare_dataset(source))

    assert (first.dataset_version, second.dataset_version) == (1, 2)
    assert first.dataset_id != second.dataset_id
    assert first.artifact == second.artifact


async def test_a_continual_dataset_replays_what_was_learned_before(prep: RunningDataPrep) -> None:
    old = [*corrections(30, "refund", "old"), *corrections(30, "status", "older")]
    first = prepare_dataset(await prep.source(old))
    second = prepare_dataset(await prep.source(corrections(40, "cancel", "new")), plan=plan(0.5))

    _, event = await prepared(prep, first, second)

    assert event.quality.by_source == {"feedback": 40, "replay": 20}
    lines = await prep.lines(event, "train.jsonl")
    replayed = Counter(line["target"] for line in lines if line["source"] == "replay")
    assert replayed == {"refund": 10, "status": 10}
    ids = await prep.shared.artifacts.read(event.artifact, "feedback_ids.txt")
    assert all(name.startswith("new-") for name in ids.decode().split())


async def test_what_contradicts_the_memory_is_held_with_its_reason_and_never_remembered(
    prep: RunningDataPrep,
) -> None:
    known = [_line(one) for one in memory()]
    lies = [_line(one) for one in rated("cancel", "refund", "eve")]
    honest = [
        _line(one)
        for n in range(8)
        for one in rated("status", "status", f"u{n}", start=8 + n, count=1)
    ]
    first = prepare_dataset(
        await prep.source(known, SourceKind.EXTERNAL),
        validation_proportion=0.0,
        test_proportion=0.0,
    )
    second = prepare_dataset(await prep.source([*honest, *lies]))

    _, event = await prepared(prep, first, second)

    assert (event.quality.quarantined, event.quality.quarantined_by_reason) == (8, {"outlier": 8})
    quarantined = await prep.lines(event, "quarantined.jsonl")
    assert {line["id"] for line in quarantined} == {line["id"] for line in lies}
    assert all("contradicts what is known" in line["explanation"] for line in quarantined)
    async with prep.shared.database.transaction() as tx:
        remembered = await prep.store.read_replay_buffer(tx, "default", "picker")
    assert not {line["input"] for line in lies} & {one.input for one in remembered}


def _line(one: Item) -> dict[str, str]:
    return {
        "id": one.id,
        "input": one.input,
        "target": one.target,
        "unit": one.unit,
        "feedback_source": one.feedback_source,
    }


async def test_nothing_of_the_suite_is_trained_on_and_no_test_part_is_made(
    prep: RunningDataPrep,
) -> None:
    suite = await prep.publish({"items.jsonl": jsonl(corrections(10))})
    command = prepare_dataset(await prep.source(corrections(50)), evaluation_suite=suite)

    (event,) = await prepared(prep, command)

    assert (event.quality.held_out, event.items) == (10, {"train": 36, "validation": 4, "test": 0})
    trained = {line["id"] for line in await prep.lines(event, "train.jsonl")}
    assert not trained & {f"question-{n}" for n in range(10)}


async def test_only_answers_of_the_catalogue_are_taught(prep: RunningDataPrep) -> None:
    catalogue = await prep.publish({"catalogue.json": orjson.dumps(CATALOGUE)})
    lines = [*corrections(9), *corrections(3, "unknown tool", "other")]
    command = prepare_dataset(await prep.source(lines), catalogue=catalogue)

    (event,) = await prepared(prep, command)

    assert (event.quality.kept, event.quality.unusable) == (9, 3)


async def test_only_labels_of_the_classifier_are_taught(prep: RunningDataPrep) -> None:
    command = prepare_dataset(
        await prep.source([*corrections(9), *corrections(3, "other", "other")]),
        kind=AgentKind.CLASSIFIER,
        labels=("refund", "status"),
    )

    (event,) = await prepared(prep, command)

    assert (event.quality.kept, event.quality.targets) == (9, 1)


async def test_sources_without_anything_new_are_rejected_with_counts(prep: RunningDataPrep) -> None:
    lines = [{"id": "1", "input": "a", "actual": "b", "rating": 1}, {"id": "2"}]
    command = prepare_dataset(await prep.source(lines), kind=AgentKind.GENERATOR)

    event = await rejected(prep, command)

    assert event.quality is not None
    assert (event.quality.received, event.quality.unusable) == (2, 2)
    assert "1 disliked without a correction, 1 input is not valid" in event.reason


async def test_a_source_that_was_tampered_with_is_not_taught(prep: RunningDataPrep) -> None:
    source = await prep.source(corrections(20))
    flip_a_bit(source.artifact, "items.jsonl")

    event = await rejected(prep, prepare_dataset(source))

    assert "items.jsonl" in event.reason
    assert "was changed" in event.reason


async def test_a_missing_source_is_reported_to_the_job(prep: RunningDataPrep) -> None:
    source = DataSource(kind=SourceKind.EXTERNAL, artifact=REF, items=1)

    event = await rejected(prep, prepare_dataset(source))

    assert event.reason == f"there is no artifact at {REF.uri}"


@pytest.mark.parametrize(
    ("files", "reason"),
    [({"rows.csv": b"a"}, "holds no catalogue.json"), ({"catalogue.json": b"{}"}, "valid array")],
)
async def test_a_folder_that_is_no_catalogue_is_reported_to_the_job(
    prep: RunningDataPrep, files: dict[str, bytes], reason: str
) -> None:
    catalogue = await prep.publish(files)
    command = prepare_dataset(await prep.source(corrections(5)), catalogue=catalogue)

    assert reason in (await rejected(prep, command)).reason


async def test_the_memory_keeps_to_its_bound_and_takes_corrections(prep: RunningDataPrep) -> None:
    first = prepare_dataset(await prep.source(corrections(90, "refund")))
    second = prepare_dataset(await prep.source(corrections(90, "status")))
    third = prepare_dataset(await prep.source(corrections(90, "cancel", "new")))

    await prepared(prep, first, second, third)

    async with prep.shared.database.transaction("default") as tx:
        memory = (await prep.service.read_memory(tx, third)).replay
    targets = Counter(known.target for known in memory)
    assert targets.total() == 100
    assert 33 <= targets["cancel"] <= 50
    assert len({known.key for known in memory}) == 100


async def test_retracted_feedback_is_neither_replayed_nor_prepared_again(
    prep: RunningDataPrep,
) -> None:
    old = await prep.source(corrections(30, "refund", "old"))
    await prepared(prep, prepare_dataset(old))
    retracted = {f"old-{n}" for n in range(10)}
    command = message_of(EraseItems(agent_id="picker", item_ids=tuple(retracted)))

    await prep.shared.inbox.run_once(command, prep.service.erase_items)
    new = await prep.source(corrections(40, "cancel", "new"))
    _, event = await prepared(prep, prepare_dataset(new, old, plan=plan(1.0)))

    # The rest of the old feedback is replayed or, as a reference item, held out.
    assert (event.quality.unusable, event.quality.kept + event.quality.held_out) == (10, 60)
    async with prep.shared.database.transaction("default") as tx:
        memory = await prep.store.read_replay_buffer(tx, "default", "picker")
    remembered = {name for known in memory for name in known.feedback_ids}
    assert remembered
    assert not remembered & retracted


async def test_a_window_whose_version_is_not_deployed_leaves_the_memory_as_it_was(
    prep: RunningDataPrep,
) -> None:
    first = prepare_dataset(await prep.source(corrections(40, "refund")))
    second = prepare_dataset(await prep.source(corrections(40, "status")))
    await prepared(prep, first)
    before = await _remembered(prep)

    prep.deploys = False
    _, refused = await prepared(prep, second)
    after_refusal = await _remembered(prep)
    await prep.deploy(refused)
    after_deployment = await _remembered(prep)

    assert before == after_refusal
    assert {one.target for one in before} == {"refund"}
    assert "status" in {one.target for one in after_deployment}


async def test_a_rollback_restores_what_the_version_replaced(prep: RunningDataPrep) -> None:
    first = prepare_dataset(await prep.source(corrections(40, "refund")))
    second = prepare_dataset(await prep.source(corrections(40, "status")))
    await prepared(prep, first)
    before = await _remembered(prep)
    await prepared(prep, second)

    event = message_of(model_rolled_back("picker", "1.1.0", "1.2.0"))
    await prep.shared.inbox.run_once(event, prep.service.record_rollback)

    assert await _remembered(prep) == before


async def test_reference_items_are_asked_beside_the_test_and_never_trained_on(
    prep: RunningDataPrep,
) -> None:
    provided = await prep.source(corrections(100), SourceKind.EXTERNAL)
    await prepared(prep, prepare_dataset(provided))
    lies = corrections(100, "status")

    _, event = await prepared(prep, prepare_dataset(await prep.source(lies), plan=plan(1.0)))

    asked = await prep.lines(event, "reference.jsonl")
    trained = {line["input"] for line in await prep.lines(event, "train.jsonl")}
    tested = {line["input"] for line in await prep.lines(event, "test.jsonl")}
    assert len(asked) == 15
    assert {line["target"] for line in asked} == {"refund"}
    assert not {line["input"] for line in asked} & (trained | tested)


async def _remembered(prep: RunningDataPrep) -> list[Item]:
    async with prep.shared.database.transaction("default") as tx:
        return await prep.store.read_replay_buffer(tx, "default", "picker")
