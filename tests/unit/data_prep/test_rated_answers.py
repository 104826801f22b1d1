"""Answers that were rated wrong, from sources to a dataset."""

from typing import Any

import pytest

from archon_contracts.formats import TrainingItem
from archon_contracts.values import AgentKind
from services.data_prep.dataset_writer import collect_feedback_ids
from services.data_prep.domain import PreparationPolicy, PreparedDataset, Targets
from services.data_prep.pipeline import prepare
from tests.support.data.datasets import REF, preparation_inputs, prepare_dataset, record

POLICY = PreparationPolicy()


def starred(text: str, stars: float, actual: str = "refund", **fields: Any) -> TrainingItem:
    """A rated answer; nobody said the right one."""
    return record(text, target="", actual=actual, rating=stars, **fields)


def test_a_disliked_answer_is_learnt_as_wrong_and_no_longer_unusable() -> None:
    records = [starred("send the parcel back", 5), starred("where is it", 1), starred("hm, yes", 3)]
    command = prepare_dataset(kind=AgentKind.CLASSIFIER, labels=("refund", "status"))

    prepared = prepare(preparation_inputs(records, command=command), POLICY)

    assert isinstance(prepared, PreparedDataset)
    (negative,) = prepared.negatives
    assert (negative.input, negative.rejected, negative.target) == ("where is it", ("refund",), "")
    assert prepared.counts["negatives"] == 1
    # A middling rating says nothing of either.
    assert prepared.quality.unusable == 1
    assert set(collect_feedback_ids(prepared)) == {records[0].id, records[1].id}


def test_a_window_of_disliked_answers_alone_is_a_dataset() -> None:
    command = prepare_dataset(
        kind=AgentKind.CLASSIFIER, labels=("refund", "status"), evaluation_suite=REF
    )

    prepared = prepare(preparation_inputs([starred("where is it", 1)], command=command), POLICY)

    assert isinstance(prepared, PreparedDataset)
    assert prepared.counts == {"train": 0, "validation": 0, "test": 0, "negatives": 1}


@pytest.mark.parametrize(
    ("kind", "actual"), [(AgentKind.GENERATOR, "refund"), (AgentKind.CLASSIFIER, "no answer of it")]
)
def test_what_cannot_be_learnt_as_wrong_stays_unusable(kind: AgentKind, actual: str) -> None:
    command = prepare_dataset(kind=kind, labels=("refund", "status"), evaluation_suite=REF)
    records = [record("my money back", target="refund"), starred("where is it", 1, actual)]
    known = Targets(frozenset({"refund", "status"}))

    prepared = prepare(preparation_inputs(records, command=command, targets=known), POLICY)

    assert isinstance(prepared, PreparedDataset)
    assert (prepared.negatives, prepared.quality.unusable) == ((), 1)


def test_a_disliked_answer_of_the_suite_is_kept_out_of_training() -> None:
    command = prepare_dataset(
        kind=AgentKind.CLASSIFIER, labels=("refund", "status"), evaluation_suite=REF
    )
    records = [starred("where is my parcel today", 1), starred("how do I pay", 1)]
    held_out = {"where is my parcel today": frozenset({"status"})}

    prepared = prepare(preparation_inputs(records, command=command, held_out=held_out), POLICY)

    assert isinstance(prepared, PreparedDataset)
    assert [item.input for item in prepared.negatives] == ["how do I pay"]
    assert prepared.quality.held_out == 1
