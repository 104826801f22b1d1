"""A model gives no answer that its agent may not give any more."""

from pathlib import Path

import pytest

from archon_inference import Predictor, limit_answers, load_predictor
from archon_inference.classifier import Classifier
from archon_inference.selector import Selector
from tests.unit.inference.test_predictors import QUESTIONS, _classifier, _generator, _selector


def _answers(predictor: Predictor) -> set[str]:
    return {
        name
        for answer in predictor.predict(QUESTIONS, k=99)
        for name in (answer.output, *answer.alternatives)
    }


def _names(predictor: Predictor) -> list[str]:
    if isinstance(predictor, Classifier):
        return list(predictor.card.labels)
    assert isinstance(predictor, Selector)
    return [tool.name for tool in predictor.catalogue.tools]


@pytest.fixture(params=[_selector, _classifier])
def predictor(request: pytest.FixtureRequest, tmp_path: Path) -> Predictor:
    return load_predictor(request.param(tmp_path))


def test_a_withdrawn_answer_is_neither_given_nor_named_beside(predictor: Predictor) -> None:
    withdrawn = predictor.predict(QUESTIONS)[0].output
    allowed = set(_names(predictor)) - {withdrawn}

    limited = limit_answers(predictor, allowed)

    assert _answers(limited) == allowed
    assert withdrawn in _answers(predictor)  # the model itself is as it was


def test_the_answers_left_keep_their_order(predictor: Predictor) -> None:
    (whole,) = predictor.predict(QUESTIONS[:1], k=99)
    ranked = [whole.output, *whole.alternatives]

    (limited,) = limit_answers(predictor, ranked[1:]).predict(QUESTIONS[:1], k=99)

    assert [limited.output, *limited.alternatives] == ranked[1:]


def test_answers_that_the_model_does_not_know_yet_change_nothing(predictor: Predictor) -> None:
    assert limit_answers(predictor, [*_names(predictor), "new"]) is predictor


def test_where_nothing_is_allowed_no_answer_is_given(predictor: Predictor) -> None:
    limited = limit_answers(predictor, ["renamed"]).predict(QUESTIONS)

    assert [(answer.output, answer.score) for answer in limited] == [("", 0.0)] * len(QUESTIONS)


def test_a_generator_has_no_fixed_answers(tmp_path: Path) -> None:
    generator = load_predictor(_generator(tmp_path))

    assert limit_answers(generator, ["a"]) is generator
