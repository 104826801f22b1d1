"""Edge cases by family."""

import pytest

from archon_contracts.commands import EdgeCaseFamily
from services.synthetic_generator.domain import Sample
from services.synthetic_generator.generation import EDGE_CASE_PROPORTION, generate
from services.synthetic_generator.generators.selection import GenerationResources
from services.synthetic_generator.quality.language import split_words
from tests.support.data.synthetic_generator import EXAMPLES, generation_request

OUT_OF_SCOPE = tuple(
    Sample(text, "oos") for text in ("who won the match last night", "write a poem about the sea")
)


def make(family: EdgeCaseFamily, examples=EXAMPLES):
    asked = generation_request(scenario_type="x", count=24, families=(family,), diversity=0.2)
    result = generate(asked, examples)
    return [c.sample for c in result.accepted if c.family is family], result


@pytest.mark.parametrize("family", sorted(set(EdgeCaseFamily) - {"empty", "out_of_scope"}))
def test_each_family_is_made_with_its_examples_answers(family: EdgeCaseFamily) -> None:
    made, _ = make(family)

    assert made
    assert {sample.target for sample in made} <= {example.target for example in EXAMPLES}


def test_very_long_ones_are_long_and_empty_ones_have_no_words() -> None:
    long, _ = make(EdgeCaseFamily.VERY_LONG)
    empty, _ = make(EdgeCaseFamily.EMPTY, (*EXAMPLES, *OUT_OF_SCOPE))

    assert all(len(split_words(sample.input)) >= 120 for sample in long)
    assert all(len(max(split_words(sample.input), key=len)) <= 3 for sample in empty)


@pytest.mark.parametrize("family", [EdgeCaseFamily.EMPTY, EdgeCaseFamily.OUT_OF_SCOPE])
def test_what_has_no_answer_abstains_and_is_refused_without_such_an_answer(
    family: EdgeCaseFamily,
) -> None:
    made, _ = make(family, (*EXAMPLES, *OUT_OF_SCOPE))
    nothing, result = make(family)

    assert {sample.target for sample in made} == {"oos"}
    assert nothing == []
    assert result.rejected["no_answer_for_out_of_scope"] > 0


def test_a_domain_s_own_abstaining_answer_is_used_where_the_agent_has_it() -> None:
    asked = generation_request(count=60, edge_cases=True)
    with_answer = GenerationResources(answers=["refund", "out_of_scope"])

    targets = [
        {c.sample.target for c in generate(asked, (), resources).accepted}
        for resources in (None, with_answer)
    ]

    assert ["out_of_scope" in each for each in targets] == [False, True]


def test_edge_cases_never_take_the_place_of_what_cannot_be_made() -> None:
    asked = generation_request(scenario_type="x", count=200, edge_cases=True, diversity=0.9)

    accepted = generate(asked, EXAMPLES[:2]).accepted

    assert len(accepted) < 200
    assert sum(c.family is not None for c in accepted) <= EDGE_CASE_PROPORTION * 200
