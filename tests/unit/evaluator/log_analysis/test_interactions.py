"""Records of a log become interactions: what failed, what is slow, what loops, what it costs."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from archon_contracts.commands import TokenPrices
from archon_contracts.formats import LogRecord
from services.evaluator.log_analysis.interactions import (
    compute_slow_limit,
    count_kinds,
    find_loops,
    find_slow,
    merge_records,
    sum_cost,
)
from tests.support.messaging.messages import NOON


def record(interaction: str, minute: float = 0, **fields: Any) -> LogRecord:
    at: datetime = NOON + timedelta(minutes=minute)
    return LogRecord(**({"interaction_id": interaction, "at": at, "request": "hello"} | fields))


def feedback(interaction: str, minute: float = 1, **fields: Any) -> LogRecord:
    return record(interaction, minute, kind="feedback", **fields)


def test_feedback_joins_the_answer_that_it_is_about() -> None:
    (found,) = merge_records([feedback("i", correction="yes"), record("i", answer="no")])

    assert (found.answer, found.correction, found.at) == ("no", "yes", NOON)
    assert found.failures == ("corrected",)


@pytest.mark.parametrize(
    ("fields", "failures"),
    [
        ({"correction": "no"}, ()),
        ({"correction": " no "}, ()),
        ({"correction": "yes", "rating": 1.0}, ("corrected", "low_rating")),
        ({"rating": 3.0}, ()),
        ({"reward": -0.1}, ("negative_reward",)),
        ({"signals": ("undone", "asked_again")}, ("asked_again", "undone")),
    ],
)
def test_a_failure_is_named_by_what_was_said(
    fields: dict[str, Any], failures: tuple[str, ...]
) -> None:
    (found,) = merge_records([record("i", answer="no"), feedback("i", **fields)])

    assert found.failures == failures


def test_the_newest_rating_stands() -> None:
    changed = [feedback("i", 2, rating=5.0), feedback("i", 1, rating=1.0)]

    assert merge_records([record("i"), *changed])[0].failures == ()


def test_an_interaction_without_a_request_is_left_out() -> None:
    assert merge_records([record("i", request="")]) == []


def test_an_answer_that_failed_is_a_failure_of_its_own() -> None:
    found = merge_records([record("a", error="timeout"), record("b")])

    assert count_kinds(found) == {"error": 1}


def test_slow_is_beyond_the_outer_fence_or_what_was_asked_for() -> None:
    usual = [0.1 + n / 1000 for n in range(40)]
    limit = compute_slow_limit([*usual, 9.0], None)
    found = merge_records([record("slow", latency_seconds=9.0), record("x", latency_seconds=0.1)])

    assert limit is not None
    assert 0.14 < limit < 0.5
    assert [each.id for each in find_slow(found, limit)] == ["slow"]
    assert compute_slow_limit([], 2.0) == 2.0
    assert compute_slow_limit([1.0] * 5, None) is None


def test_a_request_that_one_user_repeats_is_a_loop() -> None:
    same = [record(f"u{n}", n, unit_id="u", request=f"Reset  it{' ' * (n % 2)}") for n in range(4)]
    others = [record(f"v{n}", n, unit_id=f"v{n}", request="reset it") for n in range(4)]
    broken = [record(f"w{n}", n, unit_id="w", request=("a", "b")[n % 2]) for n in range(6)]

    (loop,) = find_loops(merge_records([*same, *others, *broken]))

    assert (loop.interaction_id, loop.figure) == ("u3", 4)


def test_cost_counts_only_interactions_that_say_their_tokens() -> None:
    found = merge_records([record("a", input_tokens=1_000_000, output_tokens=500_000), record("b")])
    prices = TokenPrices(input_tokens_per_million=2, output_tokens_per_million=4, per_call=0.5)

    cost = sum_cost(found, prices)

    assert cost is not None
    assert (cost.interactions, cost.cost) == (1, 4.5)
    assert cost.most_expensive[0].interaction_id == "a"
    assert sum_cost(merge_records([record("b")]), prices) is None
