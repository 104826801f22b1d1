"""Grammars and the sentences that they make."""

import random

import pytest
from hypothesis import given

from services.synthetic_generator.generators.grammar import Grammar, build_sentence, slot_names
from services.synthetic_generator.generators.grammars import GRAMMARS
from services.synthetic_generator.quality.privacy import detect_personal_data
from tests.support.data.synthetic_generator import difficulties, seeds

each_grammar = pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS)


@each_grammar
def test_every_slot_has_values_and_every_list_of_values_is_used(grammar) -> None:
    requests = [text for texts in grammar.requests.values() for text in texts]
    around = (*grammar.openings, *grammar.contexts, *grammar.closings)
    used = set().union(*(slot_names(text) for text in (*requests, *around)))

    assert used == set(grammar.slots)


@each_grammar
def test_no_request_stands_for_two_answers(grammar) -> None:
    requests = [text for texts in grammar.requests.values() for text in texts]

    assert len(set(requests)) == len(requests)


@each_grammar
@given(difficulties, seeds)
def test_every_sentence_is_whole_and_holds_no_personal_data(grammar, difficulty, seed) -> None:
    for target in grammar.targets:
        text = build_sentence(grammar, target, difficulty, random.Random(seed))
        assert text
        assert "{" not in text
        assert detect_personal_data(text) == []


@each_grammar
@given(seeds)
def test_harder_sentences_are_longer(grammar, seed) -> None:
    easy, medium, hard = (
        sum(
            len(
                build_sentence(
                    grammar, target, difficulty, random.Random(f"{seed}{target}")
                ).split()
            )
            for target in grammar.targets
        )
        for difficulty in ("easy", "medium", "hard")
    )

    assert easy < medium < hard


def test_a_template_is_filled_from_its_slots_and_their_values_from_theirs() -> None:
    grammar = small_grammar(requests={"t": ("{a} and {b}",)}, slots={"a": ("x",), "b": ("{a}y",)})

    assert build_sentence(grammar, "t", "easy", random.Random(0)) == "x and xy"


def test_weights_decide_at_a_diversity_of_0_and_not_at_1() -> None:
    grammar = small_grammar(requests={"t": ("often", "seldom")}, weights={"seldom": 0.01})
    rng = random.Random(3)

    made = {
        diversity: [build_sentence(grammar, "t", "easy", rng, diversity) for _ in range(200)]
        for diversity in (0.0, 1.0)
    }

    assert made[0.0].count("seldom") < 20 < 60 < made[1.0].count("seldom")


def test_values_that_a_rule_forbids_together_are_never_met() -> None:
    grammar = small_grammar(
        requests={"t": ("{a} {b}",)},
        slots={"a": ("tent", "radio"), "b": ("loud", "wet")},
        forbidden=({"a": frozenset({"tent"}), "b": frozenset({"loud"})},),
    )
    made = {build_sentence(grammar, "t", "easy", random.Random(n)) for n in range(60)}

    assert made == {"tent wet", "radio loud", "radio wet"}


def test_constraints_that_leave_nothing_give_nothing() -> None:
    grammar = small_grammar(
        requests={"t": ("{a}",)}, slots={"a": ("x",)}, forbidden=({"a": frozenset({"x"})},)
    )

    assert build_sentence(grammar, "t", "easy", random.Random(0)) is None


def small_grammar(**fields) -> Grammar:
    """A grammar without anything around its requests."""
    values = {"slots": {}, "openings": (), "contexts": (), "closings": ()}
    return Grammar(**(values | fields))
