"""Rewards of generated answers: named, bounded, and composed by the weights of a run.

A reward is a function of an item whose `actual` is the generated answer; it returns a number from
-1 to 1. Installed packages add more by an entry point of the group `archon.rewards`, whose name is
the reward's.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

from archon_contracts.formats import TrainingItem
from services.trainer.errors import RewardInvalid, RunInvalid

GROUP: Final = "archon.rewards"
MAXIMUM_SECONDS: Final = 60.0
"""For all answers of a step: a reward that asks somebody else must not hold a training up."""

AnswerReward = Callable[[TrainingItem], object]
"""Somebody else's code too, so that what it returns is checked."""


@dataclass(frozen=True, slots=True)
class ScoredAnswers:
    """The reward of each answer, and of each of its parts."""

    totals: Sequence[float]
    parts: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class RewardMix:
    """The weighted mean of several rewards."""

    rewards: Mapping[str, AnswerReward]
    weights: Mapping[str, float]
    seconds: float = MAXIMUM_SECONDS

    def score(self, items: Sequence[TrainingItem]) -> ScoredAnswers:
        """Rewards from -1 to 1.

        Raises:
            RewardInvalid: a part failed, took too long, or returned what is no number from -1 to 1.
        """
        parts: dict[str, list[float]] = {}
        for name, reward in self.rewards.items():
            parts[name] = _call_in_time(name, reward, items, self.seconds)
        whole = sum(self.weights[name] for name in parts)
        totals = [
            sum(self.weights[name] * values[row] for name, values in parts.items()) / whole
            for row in range(len(items))
        ]
        return ScoredAnswers(totals, parts)


def compose_answer_rewards(
    weights: Mapping[str, float], answers: Collection[str], seconds: float = MAXIMUM_SECONDS
) -> RewardMix:
    """The rewards that a run names; where it names none, the right answer and a valid one.

    `answers` are those that the agent chooses from, in the evaluator's spelling; none: it writes
    freely, and there is no valid answer.

    Raises:
        RunInvalid: a name is of no reward, or all weights are zero.
    """
    weights = weights or ({"exact": 1.0, "valid": 0.2} if answers else {"exact": 1.0})
    known: dict[str, AnswerReward] = {"exact": exact_reward}
    if answers:
        known["valid"] = lambda item: float(_normal(item.actual) in answers)
    installed = {point.name: point for point in entry_points(group=GROUP)}
    for name in weights.keys() - known.keys():
        if name not in installed:
            raise RunInvalid(
                f"config.rewards: there is no reward {name!r}; name some of "
                f"{', '.join(sorted({*known, *installed}))}, or install one as an entry point of "
                f"{GROUP}"
            )
        known[name] = installed[name].load()
    used = {name: known[name] for name, weight in weights.items() if weight}
    if not used:
        raise RunInvalid("config.rewards: all weights are 0; give one reward a weight above 0")
    return RewardMix(used, weights, seconds)


def exact_reward(item: TrainingItem) -> float:
    """1 for the right answer, as the evaluator compares texts; 0 for another."""
    return float(_normal(item.actual) == _normal(item.target))


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def _call_in_time(
    name: str, reward: AnswerReward, items: Sequence[TrainingItem], seconds: float
) -> list[float]:
    """Each item's reward, in a thread that is left behind when it hangs."""
    values: list[float] = []
    failures: list[RewardInvalid] = []

    def call() -> None:
        try:
            values.extend(_call(name, reward, item) for item in items)
        except RewardInvalid as failure:
            failures.append(failure)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise RewardInvalid(
            f"the reward {name!r} took more than {seconds:g} s for {len(items)} answers; make it "
            "quicker, or leave it out of config.rewards"
        )
    if failures:
        raise failures[0]
    return values


def _call(name: str, reward: AnswerReward, item: TrainingItem) -> float:
    try:
        value = reward(item)
    except Exception as error:  # it is somebody else's code
        raise RewardInvalid(
            f"the reward {name!r} failed on an answer to item {item.id!r} "
            f"({type(error).__name__}: {error}); mend it, or leave it out of config.rewards"
        ) from error
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1:
        raise RewardInvalid(
            f"the reward {name!r} returned {value!r} for an answer to item {item.id!r}; return a "
            "number from -1 to 1 for every answer"
        )
    return float(value)
