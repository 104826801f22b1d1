"""Feedback that contradicts what is known: an error, a change of mind, or an attack."""

import pytest

from archon_contracts.values import TrustPolicy
from services.data_prep.domain import Item, PreparationPolicy, QuarantineReason
from services.data_prep.trust.rules import apply_trust
from tests.support.data.datasets import item
from tests.support.data.raters import (
    apply_policy,
    count_reasons,
    ids_of,
    make_request,
    memory,
    one_each,
    rated,
)


def test_a_unit_that_contradicts_what_is_known_is_held_in_full() -> None:
    honest = one_each("status", "status")

    result = apply_policy([*rated("cancel", "refund", "eve"), *honest], memory())

    assert count_reasons(result) == {QuarantineReason.OUTLIER: 8}
    assert all(one.id.startswith("eve") for one in result.quarantined)
    assert "7 of 7 cases" in result.quarantined[0].explanation


def test_of_a_unit_that_lies_about_one_target_only_that_is_held() -> None:
    mixed = [*rated("cancel", "refund", "eve"), *rated("status", "status", "eve")]
    honest = rated("invoice", "invoice", "ann")

    result = apply_policy([*mixed, *honest], memory("cancel", "refund", "status", "invoice"))

    assert {one.id for one in result.quarantined} == {i.id for i in mixed if i.target == "refund"}


def test_few_units_in_league_do_not_vouch_for_each_other() -> None:
    league = [
        *rated("cancel", "refund", "eve"),
        *rated("cancel", "refund", "eva", start=16),
    ]

    result = apply_policy(league, memory())

    assert count_reasons(result) == {QuarantineReason.OUTLIER: 16}


def test_what_enough_independent_units_say_is_a_change_and_not_an_attack() -> None:
    change = one_each("cancel", "refund")

    result = apply_policy(change, memory(each=2))

    assert (result.items, result.quarantined) == (change, ())


def test_an_expert_may_contradict_everything() -> None:
    change = rated("cancel", "refund", "ann")
    expert = [
        item(i.input, i.target, id=i.id, unit="ann", feedback_source="expert") for i in change
    ]

    assert apply_policy(expert, memory()).quarantined == ()


def test_teaching_something_new_alone_is_not_contradiction() -> None:
    taught = rated("invoice", "invoice", "ann", start=0, count=10)

    result = apply_policy(taught, memory())

    assert (result.items, result.quarantined) == (taught, ())


def test_a_single_answer_of_one_rater_against_what_is_known_is_contested() -> None:
    error = rated("cancel", "refund", "ann", count=1)
    honest = rated("status", "status", "ann", count=4)

    result = apply_policy([*error, *honest], memory())

    assert [(one.id, one.reason) for one in result.quarantined] == [
        (error[0].id, QuarantineReason.CONTESTED)
    ]


def test_a_single_new_answer_to_a_known_input_counts_less() -> None:
    new = rated("cancel", "cancel-order", "ann", count=1)
    honest = rated("status", "status", "ann", count=4)

    result = apply_policy([*new, *honest], memory())

    assert [one.weight for one in result.items] == [0.25, 1, 1, 1, 1]
    assert [one.trust for one in result.items] == [0.25, 1, 1, 1, 1]


def test_contradicted_feedback_is_quarantined_where_it_has_no_weight() -> None:
    new = rated("cancel", "cancel-order", "ann", count=1)

    assert count_reasons(apply_policy(new, memory(), contradicted_weight=0)) == {
        QuarantineReason.CONTRADICTED: 1
    }


def test_what_is_unknown_is_no_better_than_what_else_a_rater_says_of_its_target() -> None:
    lie = rated("cancel", "refund", "ann", count=1)
    unknown = item("xyzzy plugh", "refund", id="unknown", unit="ann", feedback_source="user")
    other = unknown.model_copy(update={"id": "other", "unit": "bob"})

    result = apply_policy([*lie, unknown, other], memory())

    assert ids_of(result) == ["other"]


@pytest.mark.parametrize("names", [{"annotators": ("n",), "source": "human"}, {"unit": "n"}])
def test_near_same_words_of_one_annotator_or_expert_are_one_rater(names: dict[str, str]) -> None:
    text = f"{make_request('cancel', 8)} number"
    said = [
        item(f"{text} {n}", "refund", id=f"x{n}", feedback_source="expert", **names)
        for n in range(20)
    ]
    own = rated("cancel", "cancel", "ann", start=8, count=1)

    result = apply_policy([*own, *said], memory())

    assert next(one for one in result.items if one.unit == "ann").weight == 1


def test_lies_without_a_unit_are_held_like_those_of_one_unit() -> None:
    lies = [
        one.model_copy(update={"unit": "", "submitted_by": "key:eve"})
        for one in rated("cancel", "refund", "eve")
    ]

    result = apply_policy([*lies, *one_each("status", "status")], memory())

    assert {one.id for one in result.quarantined} == {one.id for one in lies}


def test_many_names_that_contradict_what_is_known_are_contested() -> None:
    league = [
        one for n in range(8, 14) for one in rated("cancel", "refund", f"e{n}", start=n, count=1)
    ]
    honest = [
        one
        for target in ("status", "invoice")
        for n in range(8, 16)
        for one in rated(target, target, f"{target}{n}", start=n, count=1)
    ]

    result = apply_policy([*league, *honest], memory("cancel", "refund", "status", "invoice"))

    assert {one.id for one in result.quarantined} == {one.id for one in league}
    assert set(count_reasons(result)) == {QuarantineReason.CONTESTED}


@pytest.mark.parametrize(("raters", "believed"), [(4, False), (20, True)])
def test_more_than_half_of_many_raters_change_an_answer(raters: int, believed: bool) -> None:
    change = [
        one
        for n in range(8, 8 + raters)
        for one in rated("cancel", "refund", f"u{n}", start=n, count=1)
    ]
    others = rated("status", "status", "ann", count=4)

    result = apply_policy([*change, *others], memory())

    assert (result.quarantined == ()) is believed


def test_what_many_people_say_without_units_is_not_condemned_for_the_lies_of_one() -> None:
    honest = [
        one.model_copy(update={"unit": ""})
        for target in ("status", "cancel", "invoice")
        for one in rated(target, target, target)
    ]
    lies = [one.model_copy(update={"unit": ""}) for one in rated("cancel", "refund", "", start=16)]

    result = apply_policy([*honest, *lies], memory())

    assert {one.id for one in result.quarantined} == {one.id for one in lies}
    assert ids_of(result) == [one.id for one in honest]


@pytest.mark.parametrize(
    ("label", "counts"),
    [
        ("refund", False),  # known, and what is known nearest is `status`
        ("status", True),
        ("opening-hours", True),  # of a new answer nothing is known
    ],
)
def test_an_update_leaves_known_answers_that_others_are_nearer_to_to_a_window(
    label: str, counts: bool
) -> None:
    # One word of `status`: too far from all that is known to be contradicted.
    distant = item("does the courier ring before parcel delivery", label, unit="u", id="c")

    in_window = apply_trust([distant], memory(), TrustPolicy(), PreparationPolicy(), 0)
    in_update = apply_trust(
        [distant], memory(), TrustPolicy(contradicted_weight=0.0), PreparationPolicy(), 0,
        is_update=True,
    )  # fmt: skip

    assert ids_of(in_window) == ["c"]
    assert ids_of(in_update) == (["c"] if counts else [])


def kept_by_an_update(*items: Item) -> list[str]:
    trust = TrustPolicy(contradicted_weight=0.0)
    return ids_of(apply_trust(items, memory(), trust, PreparationPolicy(), 0, is_update=True))


def test_an_update_leaves_what_nothing_known_resembles_to_a_window() -> None:
    alone = item("zq9 violet lantern", "refund", unit="u", id="alone")
    new = item("zq9 violet lantern", "opening-hours", unit="u", id="new")

    assert kept_by_an_update(alone) == []
    assert kept_by_an_update(new) == ["new"]  # of a new answer nothing is known
    assert ids_of(apply_policy([alone], memory())) == ["alone"]


def test_an_update_leaves_what_shares_a_mark_with_contradicted_items_to_a_window() -> None:
    marked = [
        item(f"{make_request('status', 20)} violet", "refund", unit="u1", id="contradicted"),
        item(f"{make_request('refund', 21)} violet", "refund", unit="u2", id="by-accident"),
    ]
    honest = item(make_request("refund", 22), "refund", unit="u3", id="honest")
    other = item(f"{make_request('cancel', 23)} violet", "cancel", unit="u4", id="other-answer")

    assert kept_by_an_update(*marked, honest, other) == ["honest", "other-answer"]
    assert kept_by_an_update(marked[1]) == ["by-accident"]
