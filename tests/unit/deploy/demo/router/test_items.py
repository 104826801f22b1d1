"""What the second agent of the demo learns first, and what it is corrected on."""

from collections import Counter

import pytest

from deploy.demo.bfcl import load_benchmark, normalised
from deploy.demo.router.items import (
    KNOWN,
    PER_TOPIC,
    SUITE_PER_TOPIC,
    UNKNOWN,
    RouterItems,
    choose_items,
)


@pytest.fixture(scope="module")
def items() -> RouterItems:
    return choose_items(load_benchmark(0))


def test_the_first_items_are_of_known_topics_alone(items: RouterItems) -> None:
    assert Counter(item["target"] for item in items.first) == dict.fromkeys(KNOWN, PER_TOPIC)
    assert set(items.corrections) == set(UNKNOWN)


def test_the_suite_has_each_topic_as_a_group(items: RouterItems) -> None:
    groups = Counter(item["group"] for item in items.suite)

    assert groups == dict.fromkeys((*KNOWN, *UNKNOWN), SUITE_PER_TOPIC)
    assert all(item["group"] == item["target"] for item in items.suite)


def test_nothing_that_is_learnt_is_in_the_suite(items: RouterItems) -> None:
    learnt = {normalised(item["input"]) for item in items.first}
    learnt |= {normalised(text) for text in items.corrections.values()}

    assert not learnt & {normalised(item["input"]) for item in items.suite}


def test_the_items_are_the_same_for_every_seed(items: RouterItems) -> None:
    assert choose_items(load_benchmark(7)) == items
