"""Which lines become items, and which of two that contradict each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.commands import SourceKind
from archon_contracts.formats import TrainingItem
from services.data_prep.cleaning.cleaning import (
    NO_TARGET,
    TIED_LABELS,
    UNCORRECTED,
    UNKNOWN_TARGET,
    build_items,
    deduplicate,
    to_item,
)
from services.data_prep.domain import Item, PreparationCounters, Targets
from tests.support.data.datasets import annotations, record, records

ANY = Targets()
KNOWN = Targets(frozenset({"refund", "status"}))


def cleaned(*found: TrainingItem, targets: Targets = ANY) -> tuple[list[Item], PreparationCounters]:
    counters = PreparationCounters(received=len(found))
    return deduplicate(build_items(found, targets, counters), counters), counters


def test_a_correction_teaches_the_right_answer_and_the_wrong_one() -> None:
    found = to_item(record("a", target="refund", actual="status"), KNOWN)

    assert isinstance(found, Item)
    assert (found.target, found.rejected, found.was_answered_wrong) == ("refund", ("status",), True)


def test_an_answer_that_was_right_is_not_rejected() -> None:
    found = to_item(record("a", target="refund", actual="refund"), KNOWN)

    assert isinstance(found, Item)
    assert (found.rejected, found.was_answered_wrong) == ((), False)


@pytest.mark.parametrize("rating", [{"rating": 4}, {"reward": 0.1}])
def test_a_liked_answer_confirms_itself_with_less_weight(rating: dict[str, float]) -> None:
    found = to_item(record("a", actual="refund", **rating), KNOWN)

    assert isinstance(found, Item)
    assert (found.target, found.weight) == ("refund", 0.5)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"rating": 2, "actual": "refund"}, UNCORRECTED),
        ({"reward": -1, "actual": "refund"}, UNCORRECTED),
        ({"actual": "refund"}, NO_TARGET),
        ({"rating": 5}, NO_TARGET),
        ({"target": "bicycle"}, UNKNOWN_TARGET),
        ({"annotations": annotations("refund", "status")}, TIED_LABELS),
    ],
)
def test_a_line_without_a_usable_answer_is_counted(fields: dict[str, object], reason: str) -> None:
    items, counters = cleaned(record("a", **fields), targets=KNOWN)

    assert (items, counters.unusable) == ([], {reason: 1})


def test_a_wrong_answer_that_the_agent_cannot_give_is_not_kept() -> None:
    found = to_item(record("a", target="refund", actual="made up"), KNOWN)

    assert isinstance(found, Item)
    assert found.rejected == ()


def test_the_label_of_most_annotators_is_the_answer() -> None:
    found = to_item(record("a", annotations=annotations("refund", "status", "refund")), KNOWN)

    assert isinstance(found, Item)
    assert found.target == "refund"


def test_an_item_knows_the_annotators_who_gave_its_label() -> None:
    labels = annotations("refund", "status", "refund", "refund", by=("zoe", "bob", "ann", ""))

    found = to_item(record("a", annotations=labels), KNOWN)

    assert isinstance(found, Item)
    assert found.annotators == ("ann", "zoe")


def test_the_same_item_twice_is_one_item_with_both_feedback_ids() -> None:
    items, counters = cleaned(
        record("Where?", id="1", target="status", actual="refund"),
        record("where", id="2", target="status", actual="cancel"),
    )

    (only,) = items
    assert (set(only.feedback_ids), set(only.rejected)) == ({"1", "2"}, {"refund", "cancel"})
    assert counters.duplicates == 1


def test_of_two_contradicting_items_the_newer_wins() -> None:
    items, counters = cleaned(
        record("a", target="new", occurred_at=2.0), record("a", target="old", occurred_at=1.0)
    )

    assert ([i.target for i in items], counters.conflicting) == (["new"], 1)


def test_a_more_trusted_source_wins_over_a_newer_one() -> None:
    items, _ = cleaned(
        record("a", target="human", source=SourceKind.HUMAN, occurred_at=1.0),
        record("a", target="user", feedback_source="user", occurred_at=2.0),
    )

    assert [i.target for i in items] == ["human"]


@pytest.mark.parametrize("source", [k for k in SourceKind if k is not SourceKind.FEEDBACK])
def test_most_lines_of_an_upload_decide_whichever_comes_last(source: SourceKind) -> None:
    lines = [record("a", id=f"r{n}", target="refund", source=source) for n in range(9)]
    odd = record("a", id="odd", target="status", source=source)

    for found in ([*lines, odd], [odd, *lines]):
        items, counters = cleaned(*found)

        assert [item.target for item in items] == ["refund"]
        assert (counters.duplicates, counters.conflicting) == (8, 1)
        assert [item.id for item in counters.set_aside] == ["odd"]


def test_lines_that_contradict_each_other_equally_often_are_all_set_aside_and_named() -> None:
    found = [
        record("a b", id=target, target=target, source=SourceKind.HUMAN)
        for target in ("refund", "status")
    ]

    items, counters = cleaned(*found)

    assert (items, counters.conflicting) == ([], 2)
    assert [(one.id, one.reason) for one in counters.set_aside] == [
        ("refund", "conflicting"),
        ("status", "conflicting"),
    ]
    assert "'a b'" in counters.set_aside[0].explanation


def test_of_equally_frequent_targets_the_later_dated_one_stays() -> None:
    items, _ = cleaned(
        record("a", target="new", source=SourceKind.HISTORICAL, occurred_at=2.0),
        record("a", target="old", source=SourceKind.HISTORICAL, occurred_at=1.0),
    )

    assert [item.target for item in items] == ["new"]


@given(records(), st.randoms())
def test_the_targets_of_an_upload_do_not_depend_on_the_order_of_its_lines(
    found: list[TrainingItem], shuffle: object
) -> None:
    found = [each.model_copy(update={"source": SourceKind.HUMAN}) for each in found]
    shuffled = [*found]
    shuffle.shuffle(shuffled)

    def targets(lines: list[TrainingItem]) -> dict[str, str]:
        return {item.key: item.target for item in cleaned(*lines)[0]}

    assert targets(found) == targets(shuffled)


def test_only_feedback_has_feedback_ids() -> None:
    found = to_item(record("a", target="b", source=SourceKind.EXTERNAL), ANY)

    assert isinstance(found, Item)
    assert found.feedback_ids == ()


@given(records())
def test_every_line_is_kept_or_counted_once(found: list[TrainingItem]) -> None:
    items, counters = cleaned(*found)

    assert len(items) + counters.duplicates + counters.conflicting == len(found)


@given(records(), st.randoms())
def test_inputs_are_unique_and_the_same_in_any_order(
    found: list[TrainingItem], shuffle: object
) -> None:
    shuffled = [*found]
    shuffle.shuffle(shuffled)

    keys = [item.key for item in cleaned(*found)[0]]

    assert len(set(keys)) == len(keys)
    assert set(keys) == {item.key for item in cleaned(*shuffled)[0]}
