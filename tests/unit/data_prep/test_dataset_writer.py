"""A dataset as files."""

import orjson

from archon_contracts.formats import TrainingItem, parse_line
from services.data_prep.dataset_writer import build_files, collect_feedback_ids, derive_dataset_id
from services.data_prep.domain import PreparationPolicy, PreparedDataset
from services.data_prep.pipeline import prepare
from tests.support.data.datasets import item, plan, preparation_inputs, prepare_dataset, record

COMMAND = prepare_dataset(plan=plan(0.5))


def prepared(count: int = 20) -> PreparedDataset:
    found = [
        record(f"question {n * 7919}", id=f"f{n}", target="b", actual="a") for n in range(count)
    ]
    memory = [item(f"old {n * 31}", "c", feedback_ids=(f"earlier {n}",)) for n in range(count)]
    result = prepare(preparation_inputs(found, command=COMMAND, memory=memory), PreparationPolicy())
    assert isinstance(result, PreparedDataset)
    return result


def test_the_folder_holds_three_parts_a_card_and_the_feedback_ids() -> None:
    files = build_files(COMMAND, prepared(), PreparationPolicy())

    assert sorted(files) == [
        "dataset.json",
        "feedback_ids.txt",
        "quarantined.jsonl",
        "test.jsonl",
        "train.jsonl",
        "validation.jsonl",
    ]


def test_a_line_says_what_to_learn_and_where_it_comes_from() -> None:
    files = build_files(COMMAND, prepared(), PreparationPolicy())

    first = parse_line(files["train.jsonl"].splitlines()[0], TrainingItem)

    assert (first.target, first.actual, first.rejected) == ("b", "a", ("a",))
    assert first.source == "feedback"
    # A retraction names feedback: the trainer subtracts the items that it alone speaks for.
    assert first.feedback_ids == ("f0",)


def test_feedback_is_named_once_and_replayed_feedback_is_not_new() -> None:
    assert collect_feedback_ids(prepared()) == sorted(f"f{n}" for n in range(20))


def test_the_card_explains_the_dataset() -> None:
    card = orjson.loads(build_files(COMMAND, prepared(), PreparationPolicy())["dataset.json"])

    assert card["items"] == {"train": 24, "validation": 3, "test": 3}
    assert card["quality"]["by_source"] == {"feedback": 20, "replay": 10}
    assert card["sources"][0]["digest"] == "a" * 64
    assert (card["feedback_ids"], card["plan"]["replay_ratio"]) == (20, 0.5)


def test_equal_material_gives_equal_bytes() -> None:
    assert build_files(COMMAND, prepared(), PreparationPolicy()) == build_files(
        COMMAND, prepared(), PreparationPolicy()
    )


def test_the_same_order_names_the_same_dataset_and_another_one_another() -> None:
    assert derive_dataset_id(COMMAND) == derive_dataset_id(COMMAND.model_copy())
    assert derive_dataset_id(COMMAND) != derive_dataset_id(COMMAND.model_copy(update={"seed": 1}))


def test_retracted_feedback_is_listed_for_the_trainer() -> None:
    files = build_files(COMMAND, prepared(), PreparationPolicy(), frozenset({"f2", "f1"}))

    assert files["retracted_ids.txt"] == b"f1\nf2\n"
