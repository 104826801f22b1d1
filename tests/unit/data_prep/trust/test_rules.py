"""How far feedback is trusted: caps, agreement, and what is quarantined."""

import random
from collections import Counter
from datetime import UTC, datetime
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.domain import Item, QuarantineReason
from services.data_prep.trust.raters import is_limited, rater_of
from services.data_prep.trust.rules import TrustResult
from tests.support.data.datasets import item, targets, texts, units
from tests.support.data.raters import apply_policy, make_request, memory, rated


@st.composite
def windows(draw: st.DrawFn) -> list[Item]:
    """Feedback of a few units, experts and nobody, and items of other sources among it."""
    inputs = draw(st.lists(texts, max_size=30))
    feedback_sources = st.sampled_from(("user", "user", "guardrail", "environment", "expert"))
    sources = st.sampled_from(("feedback", "feedback", "feedback", "human", "external"))
    return [
        item(
            text, draw(targets), id=str(n), unit=draw(units),
            feedback_source=draw(feedback_sources),
            source=draw(sources),
        )
        for n, text in enumerate(inputs)
    ]  # fmt: skip


def reasons(result: TrustResult) -> Counter[QuarantineReason]:
    return Counter(one.reason for one in result.quarantined)


def one_each(about: str, said: str) -> list[Item]:
    """Feedback of eight units, one each."""
    return [one for n in range(8, 16) for one in rated(about, said, f"u{n}", start=n, count=1)]


def ids(result: TrustResult) -> list[str]:
    return [one.id for one in result.items]


@given(windows())
def test_everything_is_either_used_or_held(window: list[Item]) -> None:
    result = apply_policy(window, memory())

    assert sorted(chain(ids(result), (one.id for one in result.quarantined))) == sorted(
        one.id for one in window
    )


@given(windows(), st.integers(0, 99))
def test_the_order_of_a_window_decides_nothing(window: list[Item], seed: int) -> None:
    shuffled = random.Random(seed).sample(window, len(window))

    result, again = (
        apply_policy(window, memory(), seed=seed),
        apply_policy(shuffled, memory(), seed=seed),
    )

    assert {i.id: i.weight for i in result.items} == {i.id: i.weight for i in again.items}
    assert result.quarantined == again.quarantined


@given(windows())
def test_used_items_keep_their_order_and_never_gain_weight(window: list[Item]) -> None:
    result = apply_policy(window, memory())

    before = {one.id: one.weight for one in window}
    places = [list(before).index(name) for name in ids(result)]
    assert places == sorted(places)
    assert all(0 < one.weight <= before[one.id] for one in result.items)


@given(windows())
def test_no_rater_gives_more_than_its_limit_of_what_counts(window: list[Item]) -> None:
    result = apply_policy(window, unit_proportion=0.2, unit_floor=2)

    feedback = [one for one in result.items if one.source == "feedback"]
    # Guardrails without a unit are limited as a source, and experts are not.
    bound = Counter(
        rater_of(one)
        for one in feedback
        if is_limited(one) and (one.unit or one.feedback_source != "guardrail")
    )
    others = len(feedback) - bound.total()
    share = max(0.2, 2 / (len(bound) + others)) if bound else 0
    assert all(count <= max(2, share * len(feedback)) for count in bound.values())


@given(windows())
def test_what_is_trusted_by_its_source_is_never_held(window: list[Item]) -> None:
    quarantined = {one.id for one in apply_policy(window, memory()).quarantined}

    assert not quarantined & {
        i.id for i in window if i.source != "feedback" or i.feedback_source == "expert"
    }


@given(st.lists(texts, max_size=30), targets)
def test_feedback_without_a_unit_is_treated_like_that_of_one_unit(
    inputs: list[str], target: str
) -> None:
    window = [item(text, target, id=str(n), submitted_by="k") for n, text in enumerate(inputs)]
    named = [one.model_copy(update={"unit": "ann"}) for one in window]
    others = [*one_each("status", "status"), *one_each("refund", "refund")]

    result, again = (apply_policy([*own, *others], memory()) for own in (window, named))

    assert ids(result) == ids(again)
    assert [one.weight for one in result.items] == [one.weight for one in again.items]


@given(st.lists(st.sampled_from(range(8, 16)), min_size=1, max_size=16))
def test_an_honest_window_of_many_units_is_left_as_it_is(numbers: list[int]) -> None:
    window = [
        item(make_request(target, number), target, id=f"{target}-{n}", unit=f"{target} {n}")
        for n, number in enumerate(numbers)
        for target in ("cancel", "refund", "status")
    ]

    result = apply_policy(window, memory())

    assert (result.items, result.quarantined) == (window, ())


def test_a_unit_that_contradicts_what_is_known_is_held_in_full() -> None:
    honest = one_each("status", "status")

    result = apply_policy([*rated("cancel", "refund", "eve"), *honest], memory())

    assert reasons(result) == {QuarantineReason.OUTLIER: 8}
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

    assert reasons(result) == {QuarantineReason.OUTLIER: 16}


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

    assert reasons(apply_policy(new, memory(), contradicted_weight=0)) == {
        QuarantineReason.CONTRADICTED: 1
    }


def test_what_is_unknown_is_no_better_than_what_else_a_rater_says_of_its_target() -> None:
    lie = rated("cancel", "refund", "ann", count=1)
    unknown = item("xyzzy plugh", "refund", id="unknown", unit="ann", feedback_source="user")
    other = unknown.model_copy(update={"id": "other", "unit": "bob"})

    result = apply_policy([*lie, unknown, other], memory())

    assert ids(result) == ["other"]


def test_the_same_input_is_decided_by_a_clear_majority_of_units() -> None:
    voters = [item("a b c", "status", id=f"v{n}", unit=f"v{n}") for n in range(3)]
    loser = item("a b c", "refund", id="loser", unit="eve")

    result = apply_policy([loser, *voters])

    assert [(one.id, one.reason) for one in result.quarantined] == [
        ("loser", QuarantineReason.OUTVOTED)
    ]


def test_one_unit_saying_it_three_times_outvotes_nobody() -> None:
    loud = [item("a b c", "status", id=f"v{n}", unit="eve") for n in range(3)]

    result = apply_policy([item("a b c", "refund", id="one", unit="ann"), *loud])

    assert reasons(result) == {QuarantineReason.DISPUTED: 4}


@pytest.mark.parametrize(
    ("annotators", "reason"),
    [("nnn", QuarantineReason.DISPUTED), ("nmo", QuarantineReason.OUTVOTED)],
)
def test_annotators_outvote_by_their_number_and_not_by_that_of_their_items(
    annotators: str, reason: QuarantineReason
) -> None:
    labels = [
        item("a b c", "status", id=f"x{n}", source="human", annotators=(name,))
        for n, name in enumerate(annotators)
    ]

    result = apply_policy([item("a b c", "refund", id="one", unit="ann"), *labels])

    assert reasons(result) == {reason: 1}


def test_items_that_name_no_annotator_are_one_rater_together() -> None:
    labels = [item("a b c", "status", id=f"x{n}", source="human") for n in range(5)]

    result = apply_policy([item("a b c", "refund", id="one", unit="ann"), *labels])

    assert reasons(result) == {QuarantineReason.DISPUTED: 1}


def test_an_annotator_is_not_the_unit_of_the_same_name() -> None:
    labels = [item("a b c", "status", id="x", source="human", annotators=("u0",))]
    units = [item("a b c", "status", id=f"v{n}", unit=f"u{n}") for n in range(2)]

    result = apply_policy([item("a b c", "refund", id="one", unit="eve"), *labels, *units])

    assert reasons(result) == {QuarantineReason.OUTVOTED: 1}


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


def test_near_same_inputs_of_one_unit_count_a_few_times() -> None:
    text = "please cancel the order that i placed for my brother last week number"
    again = [item(f"{text} {n}", "cancel", id=str(n), unit="eve") for n in range(8)]

    result = apply_policy([*again, *rated("status", "status", "ann")])

    assert reasons(result) == {QuarantineReason.REPEATED: 5}


def test_a_source_is_cut_to_its_share_where_others_speak_too() -> None:
    guard = [
        item(make_request("cancel", n), "cancel", id=f"g{n}", feedback_source="guardrail")
        for n in range(30)
    ]
    users = [
        item(make_request("status", n), "status", id=f"u{n}", feedback_source="user")
        for n in range(10)
    ]

    mixed, alone = apply_policy([*guard, *users]), apply_policy(guard)

    assert reasons(mixed) == {QuarantineReason.SOURCE_SHARE: 10}
    assert alone.quarantined == ()


def test_a_disabled_policy_lets_everything_count() -> None:
    attack = rated("cancel", "refund", "eve")

    assert apply_policy(attack, memory(), enabled=False).items == attack


def test_lies_without_a_unit_are_held_like_those_of_one_unit() -> None:
    lies = [
        one.model_copy(update={"unit": "", "submitted_by": "key:eve"})
        for one in rated("cancel", "refund", "eve")
    ]

    result = apply_policy([*lies, *one_each("status", "status")], memory())

    assert {one.id for one in result.quarantined} == {one.id for one in lies}


def test_feedback_without_a_unit_is_capped_like_one_unit_beside_others() -> None:
    unnamed = [item(make_request("invoice", n), "invoice", id=f"x{n}") for n in range(30)]

    result = apply_policy([*unnamed, *one_each("status", "status")], unit_proportion=0.1)

    assert reasons(result) == {QuarantineReason.UNIT_SHARE: 20}


def test_guardrails_name_no_units_and_are_limited_as_a_source_alone() -> None:
    guard = [
        item(
            make_request("invoice", n),
            "invoice",
            id=f"x{n}",
            feedback_source="guardrail",
        )
        for n in range(30)
    ]

    result = apply_policy(
        [*guard, *one_each("status", "status")], unit_proportion=0.1, guardrail_proportion=1
    )

    assert result.quarantined == ()


@pytest.mark.parametrize(("keys", "quarantined"), [(1, 0), (4, 4)])
def test_units_behind_another_key_than_the_windows_are_one_rater(
    keys: int, quarantined: int
) -> None:
    """Four of them outvote one answer only where they are the window's own users."""
    voters = [
        item("a b c", "status", id=f"v{n}", unit=f"v{n}", submitted_by="other" if keys > 1 else "")
        for n in range(4)
    ]
    window = [item("a b c", "refund", id="one", unit="ann"), *voters, *one_each("status", "status")]

    result = apply_policy(window)

    assert reasons(result)[QuarantineReason.OUTVOTED] == (1 if keys == 1 else 0)
    assert reasons(result)[QuarantineReason.DISPUTED] == (quarantined + 1 if keys > 1 else 0)


def test_whoever_speaks_last_does_not_win_a_tie() -> None:
    first = item(
        "a b c", "status", id="one", unit="ann", received_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    last = item(
        "a b c", "refund", id="two", unit="eve", received_at=datetime(2026, 2, 1, tzinfo=UTC)
    )

    result = apply_policy([first, last])

    assert reasons(result) == {QuarantineReason.DISPUTED: 2}


def test_a_raters_own_later_answer_is_a_correction() -> None:
    first = item(
        "a b c", "status", id="one", unit="ann", received_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    last = item(
        "a b c", "refund", id="two", unit="ann", received_at=datetime(2026, 2, 1, tzinfo=UTC)
    )

    assert apply_policy([first, last]).quarantined == ()


def test_what_is_provided_wins_a_tie_with_feedback() -> None:
    provided = item("a b c", "status", id="one", source="external")

    result = apply_policy([provided, item("a b c", "refund", id="two", unit="eve")])

    assert [one.id for one in result.items] == ["one"]


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
    assert set(reasons(result)) == {QuarantineReason.CONTESTED}


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
    assert ids(result) == [one.id for one in honest]
