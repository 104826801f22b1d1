"""Grammars and the sentences that they make."""

import random

import pytest
from hypothesis import given

from services.synthetic_generator.generators.grammar import build_sentence, fill_slots, slot_names
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


def test_a_template_is_filled_from_its_slots() -> None:
    assert fill_slots("{a} and {a}", {"a": ["x"]}, random.Random(0)) == "x and x"
