"""Exploration is off by default, bounded, repeatable, and its propensities are true."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from archon_inference import Prediction, Predictor
from deploy.serving.answering import AgentAnswers
from deploy.serving.batcher import MicroBatcher
from deploy.serving.exploration import (
    ExplorationKind,
    ExplorationPolicy,
    choose_answer,
)
from deploy.serving.hot_swap_model import HotSwapModel
from deploy.serving.interaction_log import InteractionLog
from tests.support.served_answers import KeepingSender, configured, serve_now

FOUND = Prediction("a", 0.6, ("b", "c"), (0.3, 0.1))
REQUESTS = 4000


def policy(kind: str, **fields: float) -> ExplorationPolicy:
    return ExplorationPolicy(ExplorationKind(kind), **{"proportion": 0.5, **fields})  # type: ignore[arg-type]


def test_it_is_off_by_default_and_names_no_propensity() -> None:
    chosen = choose_answer(FOUND, ExplorationPolicy(), "one")

    assert (chosen.prediction, chosen.propensity) == (FOUND, None)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("epsilon", {"a": 0.5 + 0.5 / 3, "b": 0.5 / 3, "c": 0.5 / 3}),
        ("thompson", {"a": 0.8, "b": 0.15, "c": 0.05}),
    ],
)
def test_answers_come_as_often_as_their_propensity_says(
    kind: str, wanted: dict[str, float]
) -> None:
    chosen = [choose_answer(FOUND, policy(kind), f"{n}") for n in range(REQUESTS)]

    seen = Counter(each.prediction.output for each in chosen)
    for each in chosen:
        assert each.propensity == pytest.approx(wanted[each.prediction.output])
    for answer, probability in wanted.items():
        assert seen[answer] / REQUESTS == pytest.approx(probability, abs=0.03)


def test_the_same_interaction_gets_the_same_answer() -> None:
    first, again = (choose_answer(FOUND, policy("epsilon"), "one") for _ in range(2))

    assert first == again


def test_only_the_most_probable_answers_are_sampled() -> None:
    chosen = {
        choose_answer(FOUND, policy("epsilon", answers=2), f"{n}").prediction.output
        for n in range(200)
    }

    assert chosen == {"a", "b"}


def test_a_generator_has_nothing_to_explore() -> None:
    assert choose_answer(Prediction("text", 0.9), policy("thompson"), "one").propensity is None


@pytest.mark.parametrize("fields", [{"proportion": 0.6}, {"proportion": 0.0}, {"answers": 1}])
def test_a_bound_that_is_passed_is_named(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        policy("epsilon", **fields)


class SureBatcher(MicroBatcher):
    """Finds the same for every request."""

    async def predict(self, predictor: Predictor, text: str) -> Prediction:
        return FOUND


async def test_the_propensity_is_logged_and_comes_with_the_feedback() -> None:
    model, log = HotSwapModel(), InteractionLog(KeepingSender())
    serve_now(model, configured("1.0.0", 1))
    with ThreadPoolExecutor(1) as thread:
        answers = AgentAnswers("acme", "picker", SureBatcher(thread), log, policy("epsilon"))
        found = await answers.answer(await model.models(), "q", interaction_id="one")
    model.close()

    logged = log.find("one")
    assert logged.actual == found.prediction.output
    assert logged.propensity in (pytest.approx(0.5 + 0.5 / 3), pytest.approx(0.5 / 3))
    feedback = answers.build_feedback({"interaction_id": "one", "reward": 1.0})
    assert feedback.propensity == logged.propensity
