"""What the benchmark of the gate makes up is what it says."""

import random

import pytest

from tests.benchmarks.evaluation.bench_gate_decisions import (
    AnsweredRow,
    decide,
    lose_topics,
    make_candidate,
)


def rows(count: int = 600) -> list[AnsweredRow]:
    """Of ten rows the deployed model has eight right, the stronger one nine, the weaker one six."""
    found = []
    for n in range(count):
        intent, place = f"intent {n % 6}", n // 6 % 10
        weak, deployed, strong = (intent if place < right else "none" for right in (6, 8, 9))
        found.append(AnsweredRow(str(n), f"domain {n % 2}", intent, weak, deployed, strong))
    return found


@pytest.mark.parametrize("points", [0.03, 0.0, -0.03])
def test_a_candidate_is_better_by_as_much_as_it_should_be(points: float) -> None:
    made = rows()

    answers = make_candidate(made, points, random.Random(0))

    gain = sum(
        (a == r.intent) - (r.deployed == r.intent) for a, r in zip(answers, made, strict=True)
    )
    assert gain == round(points * len(made))
    assert sum(a != r.deployed for a, r in zip(answers, made, strict=True)) > abs(gain)


def test_a_lost_topic_is_refused_by_name() -> None:
    assert all(lose_topics(rows(), "domain", random.Random(0)))


def test_the_gate_sees_a_sample() -> None:
    made = rows()

    report = decide(made, [row.deployed for row in made], random.Random(0), size=60)

    assert report.answered_items == 60
    assert not report.passed
