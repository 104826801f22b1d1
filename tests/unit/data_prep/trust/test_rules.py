"""How far feedback is trusted: what holds of any window, and the limits of raters and sources."""

import random
from collections import Counter
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.domain import Item, QuarantineReason
from services.data_prep.trust.raters import is_limited, rater_of
from tests.support.data.datasets import item, targets, texts, units
from tests.support.data.raters import (
    apply_policy,
    count_reasons,
    ids_of,
    make_request,
    memory,
    one_each,
    rated,
)


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


@given(windows())
def test_everything_is_either_used_or_held(window: list[Item]) -> None:
    result = apply_policy(window, memory())

    assert sorted(chain(ids_of(result), (one.id for one in result.quarantined))) == sorted(
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
    places = [list(before).index(name) for name in ids_of(result)]
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

    assert ids_of(result) == ids_of(again)
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


def test_near_same_inputs_of_one_unit_count_a_few_times() -> None:
    text = "please cancel the order that i placed for my brother last week number"
    again = [item(f"{text} {n}", "cancel", id=str(n), unit="eve") for n in range(8)]

    result = apply_policy([*again, *rated("status", "status", "ann")])

    assert count_reasons(result) == {QuarantineReason.REPEATED: 5}


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

    assert count_reasons(mixed) == {QuarantineReason.SOURCE_SHARE: 10}
    assert alone.quarantined == ()


def test_a_disabled_policy_lets_everything_count() -> None:
    attack = rated("cancel", "refund", "eve")

    assert apply_policy(attack, memory(), enabled=False).items == attack


def test_feedback_without_a_unit_is_capped_like_one_unit_beside_others() -> None:
    unnamed = [item(make_request("invoice", n), "invoice", id=f"x{n}") for n in range(30)]

    result = apply_policy([*unnamed, *one_each("status", "status")], unit_proportion=0.1)

    assert count_reasons(result) == {QuarantineReason.UNIT_SHARE: 20}


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
