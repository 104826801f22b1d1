"""Exploration: now and then another answer than the best one, with its propensity.

Only what other answers earn shows whether the best one is. Off unless it is asked for, bounded to a
proportion of the requests and to the most probable answers. Which answer a request gets is a hash
of its interaction: asked again, it gets the same one.

Sources: epsilon-greedy, R. S. Sutton and A. G. Barto, "Reinforcement Learning" (2018), section 2.2;
probability matching, W. R. Thompson, Biometrika 25 (1933): each answer as often as it is the right
one, which is what a model's softmax estimates.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from archon_inference import Prediction

MAXIMUM_PROPORTION: Final = 0.5
MAXIMUM_ANSWERS: Final = 5


class ExplorationKind(StrEnum):
    """How another answer is chosen."""

    OFF = "off"
    EPSILON = "epsilon"  # all of the best answers alike
    THOMPSON = "thompson"  # each by its probability


@dataclass(frozen=True, slots=True)
class ExplorationPolicy:
    """How an agent explores.

    Raises:
        ValueError: a bound is passed; the message names the field.
    """

    kind: ExplorationKind = ExplorationKind.OFF
    proportion: float = 0.05
    """Of the requests whose answer is sampled; the best one may be sampled too."""
    answers: int = MAXIMUM_ANSWERS
    """Most probable answers that are sampled from, the best one among them."""

    def __post_init__(self) -> None:
        if not 0 < self.proportion <= MAXIMUM_PROPORTION:
            raise ValueError(f"proportion: above 0 and at most {MAXIMUM_PROPORTION}")
        if not 2 <= self.answers <= MAXIMUM_ANSWERS:
            raise ValueError(f"answers: from 2 to {MAXIMUM_ANSWERS}")


@dataclass(frozen=True, slots=True)
class ChosenAnswer:
    """What is answered. The propensity is None where nothing is sampled: a probability of 1 says
    nothing of what other answers earn."""

    prediction: Prediction
    propensity: float | None = None


def choose_answer(
    found: Prediction, policy: ExplorationPolicy, interaction_id: str
) -> ChosenAnswer:
    """The answer of an interaction, by its policy.

    A generator's prediction has no alternatives, and stays.
    """
    if policy.kind is ExplorationKind.OFF or not found.alternatives:
        return ChosenAnswer(found)
    answers = (found.output, *found.alternatives)[: policy.answers]
    scores = (found.score, *found.alternative_scores)[: policy.answers]
    propensities = _propensities(policy, scores, len(answers))
    place = _sample(propensities, interaction_id)
    if place == 0:
        return ChosenAnswer(found, propensities[0])
    others = tuple(answer for n, answer in enumerate(answers) if n != place)
    changed = replace(
        found,
        output=answers[place],
        score=scores[place] if place < len(scores) else found.score,
        alternatives=(*others, *found.alternatives[policy.answers - 1 :]),
        alternative_scores=(),
    )
    return ChosenAnswer(changed, propensities[place])


def _propensities(
    policy: ExplorationPolicy, scores: tuple[float, ...], answers: int
) -> list[float]:
    """The probability of each answer, the best one first; they sum to 1."""
    total = sum(scores)
    if policy.kind is ExplorationKind.THOMPSON and len(scores) == answers and total > 0:
        sampled = [score / total for score in scores]
    else:
        sampled = [1 / answers] * answers
    found = [policy.proportion * each for each in sampled]
    found[0] += 1 - policy.proportion
    return found


def _sample(propensities: list[float], interaction_id: str) -> int:
    digest = hashlib.sha256(f"explore {interaction_id}".encode()).digest()
    left = int.from_bytes(digest[:8], "big") / 2**64
    for place, propensity in enumerate(propensities):
        left -= propensity
        if left < 0:
            return place
    return 0  # what rounding leaves
