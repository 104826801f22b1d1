"""How far feedback is trusted: caps, agreement, and who is quarantined."""

import random
from collections import Counter
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from archon_contracts.values import TrustPolicy
from services.data_prep.domain import Item, QuarantineReason
from services.data_prep.trust.neighbour_consistency import Consistency
from services.data_prep.trust.rules import (
    TrustResult,
    binomial_tail,
    compute_unit_limit,
    is_outlier,
)
from tests.support.data.datasets import item, targets, texts, units
from tests.support.data.raters import apply_policy, make_request, memory, rated

LIMITS = TrustPolicy(unit_proportion=0.2, unit_floor=2)


@st.composite
def windows(draw: st.DrawFn) -> list[Item]:
    """Feedback of a few units, experts and nobody, and items of other sources among it."""
    inputs = draw(st.lists(texts, max_size=30))
    sources = st.sampled_from(("user", "user", "guardrail", "environment", "expert"))
    sources = st.sampled_from(("feedback", "feedback", "feedback", "human", "external"))
    return [
        item(
            text, draw(targets), id=str(n), unit=draw(units), feedback_source=draw(sources),
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
def test_no_unit_gives_more_than_its_limit_of_what_counts(window: list[Item]) -> None:
    result = apply_policy(window, unit_proportion=0.2, unit_floor=2)

    feedback = [one for one in result.items if one.source == "feedback"]
    bound = Counter(one.unit for one in feedback if one.unit and one.feedback_source != "expert")
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
def test_feedback_of_nobody_is_left_as_it_is(inputs: list[str], target: str) -> None:
    window = [item(text, target, id=str(n)) for n, text in enumerate(inputs)]

    result = apply_policy(window, memory())

    assert (result.items, result.quarantined) == (window, ())


@given(st.lists(st.sampled_from(range(8, 16)), min_size=1, max_size=16))
def test_an_honest_window_of_many_units_is_left_as_it_is(numbers: list[int]) -> None:
    window = [
        item(make_request(target, number), target, id=f"{target}-{n}", unit=f"{target} {n}")
        for n, number in enumerate(numbers)
        for target in ("cancel", "refund", "status")
    ]

    result = apply_policy(window, memory())

    assert (result.items, result.quarantined) == (window, ())


@given(st.lists(st.integers(1, 50), max_size=20), st.integers(0, 200))
def test_a_units_limit_keeps_to_the_share_of_what_then_counts(counts: list[int], rest: int) -> None:
    limit = compute_unit_limit(counts, rest, LIMITS)

    used = [min(count, limit) for count in counts]
    share = max(LIMITS.unit_proportion, 2 / max(1, len(counts) + rest))
    assert all(count <= max(LIMITS.unit_floor, share * (rest + sum(used))) for count in used)


def test_a_flood_does_not_raise_its_own_limit() -> None:
    modest, flood = [[4] * 40 + [many] for many in (40, 4000)]

    assert (
        compute_unit_limit(modest, 0, TrustPolicy())
        == compute_unit_limit(flood, 0, TrustPolicy())
        == 10
    )


def test_the_only_unit_of_a_window_is_not_cut_short() -> None:
    assert compute_unit_limit([200], 0, TrustPolicy()) == 200


def test_a_unit_that_contradicts_what_is_known_is_held_in_full() -> None:
    honest = one_each("status", "status")

    result = apply_policy([*rated("cancel", "refund", "eve"), *honest], memory())

    assert reasons(result) == {QuarantineReason.OUTLIER: 8}
    assert all(one.id.startswith("eve") for one in result.quarantined)
    assert "6 of 6 cases" in result.quarantined[0].explanation


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


def test_single_contradicted_feedback_counts_less() -> None:
    typo = rated("cancel", "refund", "ann", count=1)
    honest = rated("status", "status", "ann", count=4)

    result = apply_policy([*typo, *honest], memory())

    assert [one.weight for one in result.items] == [0.25, 1, 1, 1, 1]
    assert [one.trust for one in result.items] == [0.25, 1, 1, 1, 1]


def test_contradicted_feedback_is_quarantined_where_it_has_no_weight() -> None:
    typo = rated("cancel", "refund", "ann", count=1)

    assert reasons(apply_policy(typo, memory(), contradicted_weight=0)) == {
        QuarantineReason.CONTRADICTED: 1
    }


def test_the_same_input_is_decided_by_a_clear_majority_of_units() -> None:
    voters = [item("a b c", "status", id=f"v{n}", unit=f"v{n}") for n in range(3)]
    loser = item("a b c", "refund", id="loser", unit="eve")

    result = apply_policy([loser, *voters])

    assert [(one.id, one.reason) for one in result.quarantined] == [
        ("loser", QuarantineReason.OUTVOTED)
    ]


def test_one_unit_saying_it_three_times_outvotes_nobody() -> None:
    loud = [item("a b c", "status", id=f"v{n}", unit="eve") for n in range(3)]

    assert apply_policy([item("a b c", "refund", id="one", unit="ann"), *loud]).quarantined == ()


@pytest.mark.parametrize(("annotators", "quarantined"), [("nnn", 0), ("nmo", 1)])
def test_annotators_outvote_by_their_number_and_not_by_that_of_their_items(
    annotators: str, quarantined: int
) -> None:
    labels = [
        item("a b c", "status", id=f"x{n}", source="human", annotators=(name,))
        for n, name in enumerate(annotators)
    ]

    result = apply_policy([item("a b c", "refund", id="one", unit="ann"), *labels])

    assert reasons(result) == Counter(
        {QuarantineReason.OUTVOTED: quarantined} if quarantined else {}
    )


def test_items_that_name_no_annotator_are_one_rater_together() -> None:
    labels = [item("a b c", "status", id=f"x{n}", source="human") for n in range(5)]

    assert apply_policy([item("a b c", "refund", id="one", unit="ann"), *labels]).quarantined == ()


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


@pytest.mark.parametrize(
    ("contradicted", "agrees", "base", "outlier"),
    [
        (3, 0, 0.0, False),  # too few to decide
        (4, 0, 0.0, True),
        (4, 4, 0.0, False),  # not more often than not
        (8, 1, 0.05, True),
        (8, 1, 0.45, False),  # neighbours are bad predictors here
    ],
)
def test_chance_is_believed_before_malice(
    contradicted: int, agrees: int, base: float, outlier: bool
) -> None:
    said = Counter({Consistency.CONTRADICTED: contradicted, Consistency.AGREES: agrees})

    assert is_outlier(said, base) is outlier


def test_the_tail_of_a_fair_coin() -> None:
    assert binomial_tail(3, 3, 0.5) == pytest.approx(0.125)
    assert binomial_tail(0, 3, 0.5) == pytest.approx(1.0)


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_the_tail_is_the_binomials_for_any_number_of_trials(
    trials: int, part: float, share: float
) -> None:
    hits = round(part * trials)

    assert binomial_tail(hits, trials, share) == pytest.approx(
        binom.sf(hits - 1, trials, share), rel=1e-6, abs=1e-12
    )


def test_a_unit_with_thousands_of_known_items_is_treated_like_another() -> None:
    said = Counter({Consistency.CONTRADICTED: 9_000, Consistency.AGREES: 1_000})

    assert is_outlier(said, 0.05)
