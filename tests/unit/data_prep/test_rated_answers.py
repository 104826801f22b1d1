"""Answers that were rated wrong, from sources to a dataset."""

from typing import Any

import pytest

from archon_contracts.formats import Split, TrainingItem
from archon_contracts.values import AgentKind, TrainingMethod, TrustPolicy
from services.data_prep.dataset_writer import collect_feedback_ids
from services.data_prep.domain import (
    PreparationPolicy,
    PreparedDataset,
    RejectedDataset,
    Targets,
)
from services.data_prep.pipeline import prepare
from tests.support.data.datasets import REF, preparation_inputs, prepare_dataset, record

POLICY = PreparationPolicy()
LABELS = ("refund", "status")


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


def prepared(records: list[TrainingItem], **fields: Any) -> PreparedDataset | RejectedDataset:
    """The dataset of a classifier with a suite, or of another kind."""
    values = {"kind": AgentKind.CLASSIFIER, "labels": LABELS, "evaluation_suite": REF} | fields
    inputs = preparation_inputs(
        records, command=prepare_dataset(**values), targets=Targets(frozenset(LABELS))
    )
    return prepare(inputs, POLICY)


def test_a_generator_that_learns_by_preference_is_shown_what_was_disliked() -> None:
    records = [starred("send the parcel back", 5, actual="A long text."), starred("hm", 1)]

    found = prepared(records, kind=AgentKind.GENERATOR, method=TrainingMethod.PREFERENCE)

    assert isinstance(found, PreparedDataset)
    assert [item.rejected for item in found.negatives] == [("refund",)]


def test_a_generator_learns_nothing_from_a_disliked_answer() -> None:
    records = [record("my money back", target="refund"), starred("where is it", 1)]

    found = prepared(records, kind=AgentKind.GENERATOR)

    assert isinstance(found, PreparedDataset)
    assert (found.negatives, found.quality.unusable) == ((), 1)


@pytest.mark.parametrize(
    ("actual", "rejected"), [("no answer of it", ("no answer of it",)), ("", ())]
)
def test_an_invalid_or_failed_answer_is_a_negative_and_never_filtered_out(
    actual: str, rejected: tuple[str, ...]
) -> None:
    records = [record("my money back", target="refund"), starred("where is it", 1, actual)]

    found = prepared(records)

    assert isinstance(found, PreparedDataset)
    (negative,) = found.negatives
    assert (negative.input, negative.rejected) == ("where is it", rejected)
    assert found.quality.unusable == 0


def test_invalid_answers_alone_are_no_dataset_and_the_reason_says_so() -> None:
    found = prepared([starred("where is it", 1, "no answer of it"), starred("hello you", 1, "")])

    assert isinstance(found, RejectedDataset)
    assert "2 wrong answers that are none of the agent's, or no answer" in found.reason


def signalled(text: str, after_seconds: float, **fields: Any) -> TrainingItem:
    """An answer that somebody undid; nobody said anything of it."""
    signal = {"kind": "undone", "after_seconds": after_seconds}
    return record(text, target="", actual="refund", signals=(signal,), **fields)


def test_behaviour_after_an_answer_is_a_weak_negative() -> None:
    found = prepared([signalled("where is it", 30), starred("lost my card", 1)])

    assert isinstance(found, PreparedDataset)
    behaved, stated = sorted(found.negatives, key=lambda item: item.weight)
    assert (behaved.rejected, behaved.weight) == (("refund",), TrustPolicy().implicit_weight)
    assert behaved.weight < stated.weight
    assert behaved.trust < stated.trust


@pytest.mark.parametrize(
    ("record", "policy"),
    [
        (signalled("where is it", 601), TrustPolicy()),
        (signalled("where is it", 11), TrustPolicy(implicit_seconds=10)),
        (signalled("where is it", 30), TrustPolicy(implicit_weight=0)),
    ],
)
def test_a_late_signal_and_one_without_weight_teach_nothing(
    record: TrainingItem, policy: TrustPolicy
) -> None:
    found = prepared([record], trust=policy)

    assert isinstance(found, RejectedDataset)
    assert "1 signals of behaviour without a statement" in found.reason


def test_what_somebody_said_counts_before_what_they_did() -> None:
    liked = signalled("where is it", 30, rating=5.0)

    found = prepared([liked])

    assert isinstance(found, PreparedDataset)
    assert (found.negatives, found.counts["train"]) == ((), 1)


def test_an_answer_that_was_shown_and_not_used_is_a_weak_negative() -> None:
    used = record("where is it", target="", actual="status", shown=("refund", "status", "gone"))

    found = prepared([used], kind=AgentKind.SELECTOR, labels=())

    assert isinstance(found, PreparedDataset)
    (negative,) = found.negatives
    # Not the one that was used, and not what is no answer of the agent.
    assert (negative.rejected, negative.weight) == (("refund",), TrustPolicy().implicit_weight)


def test_what_was_shown_beside_a_right_answer_is_rejected_with_it() -> None:
    used = record("where is it", target="status", actual="status", shown=("refund", "status"))

    found = prepared([used])

    assert isinstance(found, PreparedDataset)
    (graded,) = found.splits[Split.TRAIN]
    assert (graded.item.target, graded.item.rejected) == ("status", ("refund",))


def test_the_strongest_evidence_on_one_input_decides_its_weight() -> None:
    records = [signalled("where is it", 5), starred("where is it", 1, "status", id="second")]

    found = prepared(records)

    assert isinstance(found, PreparedDataset)
    (negative,) = found.negatives
    assert set(negative.rejected) == {"refund", "status"}
    assert (negative.weight, negative.rating) == (0.5, 1.0)


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
