"""Few and uneven items: how many steps a run makes, and how much each item counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.formats import TrainingItem
from services.trainer.recipes.encoder_recipe import balanced_weights
from services.trainer.recipes.fitting import count_steps
from services.trainer.recipes.recipe_table import MINIMUM_STEPS, read_run
from tests.support.training.training_runs import run_spec

WEIGHTS = st.floats(0.1, 10)


Steps = Callable[..., int]


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    """Counts those of a classifier's run with the recipe's values but for `config`."""
    spec = run_spec(tmp_path, tmp_path, kind="classifier")

    def count(items: int, **config: Any) -> int:
        return count_steps(read_run(spec | {"config": config}), items)

    return count


@pytest.mark.parametrize("items", [1, 20, 200])
def test_few_items_are_trained_on_for_enough_steps(steps: Steps, items: int) -> None:
    assert steps(items) == MINIMUM_STEPS


def test_many_items_have_the_steps_of_their_epochs(steps: Steps) -> None:
    assert steps(1600) == 4 * 100


def test_named_epochs_and_steps_count_before_the_minimum(steps: Steps) -> None:
    assert steps(20, epochs=2) == 4
    assert steps(20, max_steps=7) == 7
    assert steps(20, epochs=2, minimum_steps=9) == 9


def rows(*counts: int, weight: float = 1.0) -> list[TrainingItem]:
    """So many items of each of several targets."""
    return [
        TrainingItem(input="x", target=f"t{n}", weight=weight)
        for n, count in enumerate(counts)
        for _ in range(count)
    ]


def total(items: list[TrainingItem], weights: list[float], target: str) -> float:
    return sum(w for item, w in zip(items, weights, strict=True) if item.target == target)


@given(st.integers(1, 30), st.integers(1, 30), WEIGHTS)
def test_at_full_balance_all_targets_weigh_the_same(one: int, other: int, weight: float) -> None:
    items = rows(one, other, weight=weight)

    weights = balanced_weights(items, 1.0)

    assert total(items, weights, "t0") == pytest.approx(total(items, weights, "t1"))


def test_without_balance_every_item_has_its_own_weight() -> None:
    assert balanced_weights(rows(3, 1, weight=0.5), 0.0) == [0.5] * 4


def test_between_the_two_a_frequent_target_weighs_more_but_less_than_its_items() -> None:
    items = rows(16, 1)

    weights = balanced_weights(items, 0.5)

    assert total(items, weights, "t0") == pytest.approx(4 * total(items, weights, "t1"))
