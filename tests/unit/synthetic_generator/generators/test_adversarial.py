"""Inputs made to mislead."""

import random

import pytest
from hypothesis import given

from services.synthetic_generator.domain import Sample
from services.synthetic_generator.generators.adversarial import (
    distractor,
    make_adversarial,
    negation,
    noise,
    prompt_injection,
)
from tests.support.data.synthetic_generator import EXAMPLES, seeds

REAL, OTHER = EXAMPLES[0], EXAMPLES[2]


@given(seeds)
def test_the_right_answer_stays(seed: int) -> None:
    assert make_adversarial(REAL, [OTHER], random.Random(seed)).target == REAL.target


@pytest.mark.parametrize("attack", [distractor, negation, prompt_injection])
@given(seed=seeds)
def test_the_real_request_stands_in_full(attack, seed: int) -> None:
    assert REAL.input in attack(REAL, OTHER, random.Random(seed))


@given(seeds)
def test_noise_leaves_every_word_in_order(seed: int) -> None:
    left = iter(noise(REAL, OTHER, random.Random(seed)).split(" "))

    assert all(word in left for word in REAL.input.split(" "))


@given(seeds)
def test_an_order_names_a_wrong_answer(seed: int) -> None:
    assert OTHER.target in prompt_injection(REAL, OTHER, random.Random(seed))


@given(seeds)
def test_without_another_answer_there_is_noise_alone(seed: int) -> None:
    made = make_adversarial(REAL, [], random.Random(seed))

    assert made.input != REAL.input
    assert made.target == REAL.target


def test_braces_in_a_request_are_text_like_any_other() -> None:
    braces = Sample("{real} {other.secret}", "a")

    assert "{other.secret}" in distractor(braces, braces, random.Random(0))
