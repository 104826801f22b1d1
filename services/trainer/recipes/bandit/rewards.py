"""Rewards of logged answers: named, bounded, and composed by the weights of a run.

A reward is a function of a logged item that returns a number from -1 to 1, or None where the item
says nothing of that kind. Installed packages add more by an entry point of the group
`archon.logged_rewards`, whose name is the reward's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Final

from archon_contracts.events import SignalKind
from archon_contracts.formats import TrainingItem
from services.trainer.errors import RewardInvalid, RunInvalid

GROUP: Final = "archon.logged_rewards"

Reward = Callable[[TrainingItem], object]
"""Somebody else's code too, so that what it returns is checked."""

_OF_SIGNALS: Final = {
    SignalKind.UNDONE: -1.0,
    SignalKind.EDITED: -0.5,
    SignalKind.ASKED_AGAIN: -0.5,
}


def of_reward(item: TrainingItem) -> float | None:
    """What the feedback states as its reward."""
    return item.reward


def of_rating(item: TrainingItem) -> float | None:
    """Stars on the scale of rewards: 1 is -1, 3 is 0, 5 is 1."""
    return None if item.rating is None else (item.rating - 3.0) / 2.0


def of_correction(item: TrainingItem) -> float | None:
    """1 where the answer is the one that somebody stated to be right, -1 where it is another."""
    if not item.target or not item.actual:
        return None
    return 1.0 if item.actual == item.target else -1.0


def of_signals(item: TrainingItem) -> float | None:
    """The worst of what the user did after the answer."""
    found = [_OF_SIGNALS[signal.kind] for signal in item.signals]
    return min(found) if found else None


REWARDS: Final[Mapping[str, Reward]] = {
    "reward": of_reward,
    "rating": of_rating,
    "correction": of_correction,
    "signals": of_signals,
}
DEFAULT_WEIGHTS: Final[Mapping[str, float]] = {"reward": 1.0, "rating": 1.0, "correction": 1.0}
"""Of a run that names none. Behaviour has other reasons too, and is asked for by name."""


class ComposedReward:
    """The weighted mean of the rewards that an item has."""

    def __init__(self, rewards: Mapping[str, Reward], weights: Mapping[str, float]) -> None:
        self._parts = [(name, rewards[name], weight) for name, weight in weights.items() if weight]

    def __call__(self, item: TrainingItem) -> float | None:
        """From -1 to 1; None where no part says anything.

        Raises:
            RewardInvalid: a part failed, or returned what is no number from -1 to 1.
        """
        found = [
            (weight, value)
            for name, reward, weight in self._parts
            if (value := _call(name, reward, item)) is not None
        ]
        if not found:
            return None
        return sum(w * value for w, value in found) / sum(w for w, _ in found)


def compose(weights: Mapping[str, float]) -> ComposedReward:
    """The reward of a run that names these weights; the default where it names none.

    Raises:
        RunInvalid: a name is of no reward, or all weights are zero.
    """
    weights = weights or DEFAULT_WEIGHTS
    known = dict(REWARDS)
    for point in entry_points(group=GROUP):
        if point.name in weights and point.name not in known:
            known[point.name] = point.load()
    unknown = sorted(weights.keys() - known.keys())
    if unknown:
        installed = sorted({*known, *(point.name for point in entry_points(group=GROUP))})
        raise RunInvalid(
            f"config.rewards: there is no reward {unknown[0]!r}; name some of "
            f"{', '.join(installed)}, or install one as an entry point of {GROUP}"
        )
    if not any(weights.values()):
        raise RunInvalid("config.rewards: all weights are 0; give one reward a weight above 0")
    return ComposedReward(known, weights)


def _call(name: str, reward: Reward, item: TrainingItem) -> float | None:
    try:
        value = reward(item)
    except Exception as error:  # it is somebody else's code
        raise RewardInvalid(
            f"the reward {name!r} failed on item {item.id!r} "
            f"({type(error).__name__}: {error}); mend it, or leave it out of config.rewards"
        ) from error
    if value is None:
        return None
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1:
        raise RewardInvalid(
            f"the reward {name!r} returned {value!r} for item {item.id!r}; "
            "return a number from -1 to 1, or None where the item says nothing"
        )
    return float(value)
