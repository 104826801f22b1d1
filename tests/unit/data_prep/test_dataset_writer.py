"""A dataset as files."""

import orjson

from services.data_prep.dataset_writer import dataset_id, feedback_ids, files_of
from services.data_prep.domain import Policy, Prepared
from services.data_prep.pipeline import prepare
from tests.support.data.datasets import item, material, plan, prepare_dataset, record

COMMAND = prepare_dataset(plan=plan(0.5))


def prepared(count: int = 20) -> Prepared:
    found = [
        record(f"question {n * 7919}", id=f"f{n}", target="b", actual="a") for n in range(count)
    ]
    memory = [item(f"old {n * 31}", "c", origins=(f"earlier {n}",)) for n in range(count)]
    result = prepare(material(found, command=COMMAND, memory=memory), Policy())
    assert isinstance(result, Prepared)
    return result


def test_the_folder_holds_three_parts_a_card_and_the_feedback_ids() -> None:
    files = files_of(COMMAND, prepared(), Policy())

    assert sorted(files) == [
        "dataset.json",
        "feedback_ids.txt",
        "held.jsonl",
        "test.jsonl",
        "train.jsonl",
        "validation.jsonl",
    ]


def test_a_line_says_what_to_learn_and_where_it_comes_from() -> None:
    first = orjson.loads(files_of(COMMAND, prepared(), Policy())["train.jsonl"].splitlines()[0])

    assert list(first) == [
        "id", "input", "target", "rejected", "weight", "difficulty", "source", "group",
    ]  # fmt: skip
    assert (first["target"], first["rejected"], first["source"]) == ("b", ["a"], "feedback")


def test_feedback_is_named_once_and_replayed_feedback_is_not_new() -> None:
    assert feedback_ids(prepared()) == sorted(f"f{n}" for n in range(20))


def test_the_card_explains_the_dataset() -> None:
    card = orjson.loads(files_of(COMMAND, prepared(), Policy())["dataset.json"])

    assert card["items"] == {"train": 24, "validation": 3, "test": 3}
    assert card["quality"]["by_source"] == {"feedback": 20, "replay": 10}
    assert card["sources"][0]["digest"] == "a" * 64
    assert (card["feedback_ids"], card["plan"]["replay_share"]) == (20, 0.5)


def test_equal_material_gives_equal_bytes() -> None:
    assert files_of(COMMAND, prepared(), Policy()) == files_of(COMMAND, prepared(), Policy())


def test_the_same_order_names_the_same_dataset_and_another_one_another() -> None:
    assert dataset_id(COMMAND) == dataset_id(COMMAND.model_copy())
    assert dataset_id(COMMAND) != dataset_id(COMMAND.model_copy(update={"seed": 1}))
