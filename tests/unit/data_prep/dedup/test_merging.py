"""What becomes of near duplicates."""

from hypothesis import given

from services.data_prep.dedup.merging import merge_near_duplicates
from services.data_prep.domain import Item, PreparationCounters, PreparationPolicy
from tests.support.data.datasets import item, items

LONG = "could you please tell me where my parcel from last monday has been delivered to"
TYPO = LONG.replace("parcel", "parcle")


def test_near_duplicates_with_one_target_become_one_item() -> None:
    counters = PreparationCounters()

    merged = merge_near_duplicates(
        [item(LONG, feedback_ids=("1",)), item(TYPO, feedback_ids=("2",))],
        [],
        {},
        PreparationPolicy(),
        counters,
    )

    (only,) = merged.new
    assert (set(only.feedback_ids), counters.duplicates) == ({"1", "2"}, 1)


def test_near_duplicates_with_different_targets_stay_in_one_cluster() -> None:
    merged = merge_near_duplicates(
        [item(LONG, "status"), item(TYPO, "refund")],
        [],
        {},
        PreparationPolicy(),
        PreparationCounters(),
    )

    assert len(merged.new) == 2
    assert len(set(merged.cluster_of.values())) == 1


def test_a_new_item_replaces_its_near_duplicate_in_the_memory() -> None:
    counters = PreparationCounters()

    merged = merge_near_duplicates(
        [item(LONG)], [item(TYPO), item("cancel it")], {}, PreparationPolicy(), counters
    )

    assert [i.input for i in merged.replayed] == ["cancel it"]
    assert counters.duplicates == 0


def test_what_the_suite_nearly_asks_is_left_out_with_its_answer_alone() -> None:
    counters, held_out = PreparationCounters(), {LONG: frozenset({"status"})}
    new = [item(TYPO, "status"), item(TYPO + " now", "refund"), item("cancel it", "status")]

    merged = merge_near_duplicates(new, [], held_out, PreparationPolicy(), counters)

    assert [i.target for i in merged.new] == ["refund", "status"]
    assert (counters.held_out, counters.duplicates) == (1, 0)


def test_what_the_suite_nearly_asks_is_not_replayed() -> None:
    held_out, counters = {LONG: frozenset({"refund"})}, PreparationCounters()

    merged = merge_near_duplicates(
        [item("cancel it")], [item(TYPO, "refund")], held_out, PreparationPolicy(), counters
    )

    assert (merged.replayed, counters.held_out) == ([], 0)


@given(items(), items())
def test_new_items_are_kept_or_counted_and_targets_survive(
    new: list[Item], replayed: list[Item]
) -> None:
    counters = PreparationCounters()

    merged = merge_near_duplicates(new, replayed, {}, PreparationPolicy(), counters)

    assert len(merged.new) + counters.duplicates == len(new)
    assert {i.target for i in merged.new} == {i.target for i in new}
    assert {i.key for i in (*merged.new, *merged.replayed)} <= set(merged.cluster_of)
