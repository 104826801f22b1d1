import math
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from services.trainer.errors import RewardInvalid, RunInvalid
from services.trainer.items import TrainingItem
from services.trainer.recipes.generators import answer_rewards
from services.trainer.recipes.generators.answer_rewards import compose_answer_rewards

ITEMS = [
    TrainingItem(id=str(n), input="a", target="Rain", actual=actual)
    for n, actual in enumerate(["rain ", "song", "a long poem"])
]


@dataclass(frozen=True)
class Point:
    """Stands for an entry point of an installed package."""

    name: str
    reward: Any

    def load(self) -> Any:
        return self.reward


def _install(monkeypatch: pytest.MonkeyPatch, reward: Any) -> None:
    monkeypatch.setattr(answer_rewards, "entry_points", lambda group: [Point("own", reward)])


def test_without_names_the_right_answer_counts_and_a_valid_one_a_little() -> None:
    scored = compose_answer_rewards({}, {"rain", "song"}).score(ITEMS)

    assert scored.totals == pytest.approx([1.0, 0.2 / 1.2, 0.0])
    assert scored.parts == {"exact": [1, 0, 0], "valid": [1, 1, 0]}


def test_of_free_text_only_the_right_answer_counts() -> None:
    assert compose_answer_rewards({}, ()).score(ITEMS).totals == [1.0, 0.0, 0.0]


def test_an_installed_reward_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, lambda item: -1.0 if "poem" in item.actual else 0.5)

    assert compose_answer_rewards({"own": 0.7}, ()).score(ITEMS).totals == [0.5, 0.5, -1.0]


@pytest.mark.parametrize(
    ("weights", "fault"),
    [
        ({"missing": 1.0}, "no reward 'missing'; name some of exact"),
        ({"exact": 0.0}, "all wei"),
    ],
)
def test_rewards_that_do_not_exist_or_do_not_count_are_refused(
    weights: dict[str, float], fault: str
) -> None:
    with pytest.raises(RunInvalid, match=fault):
        compose_answer_rewards(weights, ())


@pytest.mark.parametrize("value", [None, math.nan, math.inf, 1.5, "good"])
def test_what_is_no_number_from_minus_one_to_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    _install(monkeypatch, lambda item: value)

    with pytest.raises(RewardInvalid, match=r"'own' returned .* for an answer to item '0'"):
        compose_answer_rewards({"own": 1.0}, ()).score(ITEMS)


def test_a_reward_that_fails_is_named_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, lambda item: 1 / 0)

    with pytest.raises(RewardInvalid, match=r"ZeroDivisionError: division by zero\); mend it"):
        compose_answer_rewards({"own": 1.0}, ()).score(ITEMS)


def test_a_reward_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = threading.Event()
    _install(monkeypatch, lambda item: waits.wait())

    with pytest.raises(RewardInvalid, match=r"took more than 0\.05 s for 3 answers"):
        compose_answer_rewards({"own": 1.0}, (), seconds=0.05).score(ITEMS)
    waits.set()
