"""What becomes of near duplicates."""

from hypothesis import given

from services.data_prep.dedup.merging import fold
from services.data_prep.domain import Item, Policy, Tally
from tests.support.data.datasets import item, items

LONG = "could you please tell me where my parcel from last monday has been delivered to"
SLIP = LONG.replace("parcel", "parcle")


def test_near_duplicates_with_one_target_become_one_item() -> None:
    tally = Tally()

    folded = fold([item(LONG, origins=("1",)), item(SLIP, origins=("2",))], [], {}, Policy(), tally)

    (only,) = folded.new
    assert (set(only.origins), tally.duplicates) == ({"1", "2"}, 1)


def test_near_duplicates_with_different_targets_stay_in_one_cluster() -> None:
    folded = fold([item(LONG, "status"), item(SLIP, "refund")], [], {}, Policy(), Tally())

    assert len(folded.new) == 2
    assert len(set(folded.cluster_of.values())) == 1


def test_a_new_item_replaces_its_near_duplicate_in_the_memory() -> None:
    tally = Tally()

    folded = fold([item(LONG)], [item(SLIP), item("cancel it")], {}, Policy(), tally)

    assert [i.input for i in folded.replayed] == ["cancel it"]
    assert tally.duplicates == 0


def test_what_the_suite_nearly_asks_is_left_out_with_its_answer_alone() -> None:
    tally, held_out = Tally(), {LONG: frozenset({"status"})}
    new = [item(SLIP, "status"), item(SLIP + " now", "refund"), item("cancel it", "status")]

    folded = fold(new, [], held_out, Policy(), tally)

    assert [i.target for i in folded.new] == ["refund", "status"]
    assert (tally.held_out, tally.duplicates) == (1, 0)


def test_what_the_suite_nearly_asks_is_not_replayed() -> None:
    held_out, tally = {LONG: frozenset({"refund"})}, Tally()

    folded = fold([item("cancel it")], [item(SLIP, "refund")], held_out, Policy(), tally)

    assert (folded.replayed, tally.held_out) == ([], 0)


@given(items(), items())
def test_new_items_are_kept_or_counted_and_targets_survive(
    new: list[Item], replayed: list[Item]
) -> None:
    tally = Tally()

    folded = fold(new, replayed, {}, Policy(), tally)

    assert len(folded.new) + tally.duplicates == len(new)
    assert {i.target for i in folded.new} == {i.target for i in new}
    assert {i.key for i in (*folded.new, *folded.replayed)} <= set(folded.cluster_of)
