"""What a run may use: time, and the memory of its device."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from services.trainer.child import run
from services.trainer.errors import RunInvalid, TimeLimitReached
from services.trainer.recipes.fitting import PlannedTrainer
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import run_spec


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("base"))


def ignore(_: dict[str, Any]) -> None:
    """Reports are of no concern here."""


def test_a_run_beyond_its_time_fails_and_says_how_far_it_came(tmp_path: Path, base: Path) -> None:
    spec = run_spec(tmp_path, base, maximum_seconds=1e-6)

    with pytest.raises(TimeLimitReached, match=r"for 1 of 12 steps, and maximum_seconds allows"):
        run(spec, ignore)


def test_a_run_within_its_time_ends(tmp_path: Path, base: Path) -> None:
    assert run(run_spec(tmp_path, base, maximum_seconds=600), ignore)["steps"] == 12


@pytest.fixture
def fit_at_most(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """A device on which so many items fit; returns the sizes of the batches that were tried."""

    def limit(most: int) -> list[int]:
        tried: list[int] = []
        step = PlannedTrainer.training_step

        def measured(self: Any, model: Any, inputs: Any, *rest: Any) -> Any:
            tried.append(len(inputs["mask_BT"]))
            if tried[-1] > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return step(self, model, inputs, *rest)

        monkeypatch.setattr(PlannedTrainer, "training_step", measured)
        return tried

    return limit


def test_batches_that_do_not_fit_are_accumulated_of_halves(
    tmp_path: Path, base: Path, fit_at_most: Callable[[int], list[int]]
) -> None:
    tried = fit_at_most(1)

    result = run(run_spec(tmp_path, base, batch_size=4), ignore)

    assert result["steps"] == 12
    assert tried[:3] == [4, 2, 1]
    assert tried[2:] == [1] * 48  # four parts of each step


def test_an_item_that_does_not_fit_fails_the_run_with_the_fix(
    tmp_path: Path, base: Path, fit_at_most: Callable[[int], list[int]]
) -> None:
    fit_at_most(0)

    with pytest.raises(RunInvalid, match="out of memory with 1 items at a time: lower max_length"):
        run(run_spec(tmp_path, base, batch_size=4), ignore)
