"""Rewards by name, composed, bounded, and refused where they are no numbers."""

import math
from typing import Any

import pytest

from archon_contracts.events import ImplicitSignal, SignalKind
from archon_contracts.formats import TrainingItem
from services.trainer.errors import RewardInvalid, RunInvalid
from services.trainer.recipes.bandit import rewards
from services.trainer.recipes.bandit.rewards import ComposedReward, compose


def item(**fields: Any) -> TrainingItem:
    return TrainingItem(**({"id": "one", "input": "where is it", "actual": "status"} | fields))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"rating": 5.0}, 1.0),
        ({"rating": 3.0}, 0.0),
        ({"rating": 1.0, "reward": 0.5}, -0.25),
        ({"target": "refund"}, -1.0),
        ({"target": "status", "reward": 0.0}, 0.5),
        ({}, None),
    ],
)
def test_the_default_is_the_mean_of_what_was_said(fields: dict[str, Any], wanted: float) -> None:
    assert compose({})(item(**fields)) == wanted


def test_weights_and_names_choose() -> None:
    signal = ImplicitSignal(kind=SignalKind.UNDONE, after_seconds=3)
    rated = item(rating=5.0, reward=0.0, signals=(signal,))

    assert compose({"rating": 0.75, "reward": 0.25})(rated) == 0.75
    assert compose({"signals": 1.0, "rating": 1.0})(rated) == 0.0


class InstalledReward:
    """An entry point of an installed package."""

    def __init__(self, name: str, value: object) -> None:
        self.name, self._value = name, value

    def load(self) -> object:
        return lambda _: self._value


def test_an_installed_reward_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewards, "entry_points", lambda group: [InstalledReward("clicks", 0.5)])

    assert compose({"clicks": 1.0})(item()) == 0.5
    with pytest.raises(RunInvalid, match=r"no reward 'sales'; name some of clicks, correction"):
        compose({"sales": 1.0})


@pytest.mark.parametrize("value", [math.nan, math.inf, 1.5, "good"])
def test_what_is_no_number_in_bounds_is_refused_by_name(value: object) -> None:
    composed = ComposedReward({"clicks": lambda _: value}, {"clicks": 1.0})

    with pytest.raises(RewardInvalid, match=r"'clicks' returned .* for item 'one'"):
        composed(item())


def test_a_reward_that_fails_is_named() -> None:
    def broken(_: TrainingItem) -> float:
        raise ZeroDivisionError("division by zero")

    with pytest.raises(RewardInvalid, match="'clicks' failed on item 'one'"):
        ComposedReward({"clicks": broken}, {"clicks": 1.0})(item())


def test_all_weights_zero_are_refused() -> None:
    with pytest.raises(RunInvalid, match="all weights are 0"):
        compose({"rating": 0.0})
