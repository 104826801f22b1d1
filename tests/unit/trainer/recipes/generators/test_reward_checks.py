import pytest

from services.trainer.recipes.generators.answer_rewards import ScoredAnswers
from services.trainer.recipes.generators.reward_checks import (
    AnswerSample,
    compare_samples,
    find_suspicions,
)

WEIGHTS = {"exact": 1.0, "valid": 0.2}


def _sample(
    total: float, *, text: str = "rain", tokens: int = 2, exact: float = 0.0
) -> AnswerSample:
    return AnswerSample([text], [tokens], ScoredAnswers([total], {"exact": [exact], "valid": [1]}))


BEFORE = _sample(0.1)


@pytest.mark.parametrize(
    ("after", "sign"),
    [
        (_sample(0.5, tokens=8, exact=0.4), "answers grew from 2.0 to 8.0 tokens"),
        (_sample(0.5, text="rain rain rain", exact=0.4), "repeated words rose from 0% to 67%"),
        (_sample(0.5), "the reward rose, and 'exact', its heaviest part, did not"),
    ],
)
def test_a_reward_that_rises_by_length_repetition_or_form_is_suspicious(
    after: AnswerSample, sign: str
) -> None:
    figures, suspicions = compare_samples(BEFORE, after, WEIGHTS)

    assert suspicions == [sign]
    assert figures["reward/suspicions"] == 1.0


def test_right_answers_are_not_suspicious_and_neither_is_a_reward_that_stays() -> None:
    assert find_suspicions(BEFORE, _sample(0.6, exact=0.5), WEIGHTS) == []
    assert find_suspicions(BEFORE, _sample(0.1, tokens=50), WEIGHTS) == []


def test_each_part_is_reported_before_and_after() -> None:
    figures, _ = compare_samples(BEFORE, _sample(0.6, exact=0.5), WEIGHTS)

    names = ("reward/before", "reward/after", "reward/before_exact", "reward/after_exact")
    assert [figures[name] for name in names] == [0.1, 0.6, 0.0, 0.5]
