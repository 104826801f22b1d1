"""Rewarded answers in a dataset for a training by rewards."""

from typing import Any

import orjson

from archon_contracts.formats import REWARDS_FILE, TrainingItem
from archon_contracts.values import AgentKind, TrainingMethod
from services.data_prep.dataset_writer import build_files
from services.data_prep.domain import PreparationPolicy, PreparedDataset, Targets
from services.data_prep.pipeline import prepare
from tests.support.data.datasets import REF, preparation_inputs, prepare_dataset, record

POLICY = PreparationPolicy()
LABELS = ("refund", "status")


def answered(text: str, actual: str = "refund", **fields: Any) -> TrainingItem:
    return record(text, target=fields.pop("target", ""), actual=actual, **fields)


def prepared(records: list[TrainingItem], **fields: Any) -> PreparedDataset:
    values: dict[str, Any] = {
        "kind": AgentKind.CLASSIFIER,
        "labels": LABELS,
        "evaluation_suite": REF,
        "method": TrainingMethod.REINFORCEMENT,
    }
    command = prepare_dataset(**values | fields.pop("command", {}))
    inputs = preparation_inputs(
        records, command=command, targets=Targets(frozenset(LABELS)), **fields
    )
    found = prepare(inputs, POLICY)
    assert isinstance(found, PreparedDataset), found
    return found


LOGS = [
    answered("send it back", rating=5.0, propensity=0.5),
    answered("send it back", "status", rating=1.0, propensity=0.25),
    answered("hm, yes", rating=3.0),
    answered("where is it", target="status", reward=-0.5),
    answered("what time is it", "weather", rating=5.0),
]


def test_each_interaction_is_kept_with_its_reward_and_propensity() -> None:
    found = prepared(LOGS)

    kept = sorted((i.input, i.actual, i.rating, i.propensity, i.target) for i in found.rewarded)
    assert kept == [
        ("hm, yes", "refund", 3.0, None, ""),
        ("send it back", "refund", 5.0, 0.5, ""),
        ("send it back", "status", 1.0, 0.25, ""),
        ("where is it", "refund", None, None, "status"),
    ]


def test_they_are_a_file_of_the_dataset_and_name_their_feedback() -> None:
    found = prepared(LOGS)

    files = build_files(prepare_dataset(), found, POLICY)

    lines = [orjson.loads(line) for line in files[REWARDS_FILE].splitlines()]
    assert {line["input"] for line in lines} == {"send it back", "hm, yes", "where is it"}
    assert LOGS[2].id in files["feedback_ids.txt"].decode()


def test_other_methods_have_no_such_file() -> None:
    found = prepared(LOGS, command={"method": TrainingMethod.CONTINUAL})

    assert REWARDS_FILE not in build_files(prepare_dataset(), found, POLICY)


def test_what_the_evaluation_asks_teaches_nothing() -> None:
    found = prepared(LOGS, held_out={"send it back": frozenset({"refund"})})

    assert {item.input for item in found.rewarded} == {"hm, yes", "where is it"}


def test_one_rater_gives_no_more_than_its_part() -> None:
    texts = [f"{a} {b} {c}" for a in "abcdef" for b in "ghijkl" for c in "mnopqr"]
    flood = [answered(text, rating=3.0, unit="one") for text in texts]
    others = [answered(f"{t} parcel", rating=5.0, unit=t) for t in texts[:30]]

    found = prepared([*flood, *others])

    by_one = sum(item.unit == "one" for item in found.rewarded)
    assert 0 < by_one <= len(others) < len(flood)
