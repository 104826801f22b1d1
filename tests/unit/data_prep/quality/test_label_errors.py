"""Wrong targets stand at the head of a rank, and right ones are left alone."""

import random

import pytest

from services.data_prep.quality.label_errors import rank_label_errors

TOPICS = {
    "refund": ("money", "refund", "return", "bill", "paid", "charge"),
    "parcel": ("parcel", "late", "courier", "delivery", "track", "box"),
    "login": ("password", "login", "account", "code", "locked", "email"),
}


def texts(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of three topics, and their targets."""
    rng, names = random.Random(seed), sorted(TOPICS)
    targets = [names[n % 3] for n in range(count)]
    return [" ".join([*rng.sample(TOPICS[t], 3), f"no {rng.random()}"]) for t in targets], targets


def test_flipped_targets_are_found_with_what_they_should_be() -> None:
    found, right = texts(150)
    wrong = [target if n % 10 else "login" for n, target in enumerate(right)]

    rank = rank_label_errors(found, wrong)

    assert rank is not None
    flipped = {n for n in range(150) if wrong[n] != right[n]}
    worst = sorted(range(150), key=lambda n: rank.margins[n])[: len(flipped)]
    assert set(worst) == flipped
    assert set(rank.suspects) <= flipped
    assert [rank.suggested[n] for n in flipped] == [right[n] for n in flipped]
    assert rank.proportion == pytest.approx(len(flipped) / 150, abs=0.04)


def test_right_targets_are_not_suspected() -> None:
    rank = rank_label_errors(*texts(150))

    assert rank is not None
    assert rank.suspects == []


def test_the_rank_of_an_item_does_not_depend_on_the_order() -> None:
    found, targets = texts(60)
    order = random.Random(1).sample(range(60), 60)

    first = rank_label_errors(found, targets)
    second = rank_label_errors([found[n] for n in order], [targets[n] for n in order])

    assert first is not None
    assert second is not None
    assert [first.margins[n] for n in order] == pytest.approx(second.margins)


@pytest.mark.parametrize(
    ("count", "targets"),
    [(0, []), (10, ["a", "b"] * 5), (30, ["a"] * 30), (30, [str(n) for n in range(30)])],
    ids=["empty", "few", "one class", "each target once"],
)
def test_too_few_items_are_not_ranked(count: int, targets: list[str]) -> None:
    assert rank_label_errors([f"text {n}" for n in range(count)], targets) is None


def test_a_target_seen_once_is_not_suspected() -> None:
    found, targets = texts(60)

    rank = rank_label_errors([*found, "money refund bill"], [*targets, "new"])

    assert rank is not None
    assert rank.margins[60] == 1.0
