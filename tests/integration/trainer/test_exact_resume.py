"""N steps == N/2 + kill -9 + the rest, bit for bit: weights, optimizer, scheduler, randomness."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.trainer.checkpoints.store import find_newest_checkpoint, is_complete
from services.trainer.child import run
from tests.support.training.killed_training import STANDS, kill_at
from tests.support.training.tiny_models import tiny_causal_model, tiny_encoder
from tests.support.training.training_runs import items, run_spec, write_lines

pytestmark = pytest.mark.timeout(300)
STEPS, HALF, EVERY = 12, 6, 3
SHORT = {"max_steps": STEPS, "checkpoint_steps": EVERY, "epochs": 2, "warmup_ratio": 0.25}
# Where the run was and what it was reported stands in these, with paths and times.
ITS_OWN = {"run.json", "trainer_state.json", "manifest.json", "README.md"}


class RecipeRuns:
    """Specs of one kind and method, all from the same base model."""

    def __init__(self, root: Path, kind: str, method: str) -> None:
        self._root, self._kind, self._method = root, kind, method
        self._whole: dict[str, str] | None = None
        base = root / "base"
        self._base = tiny_causal_model(base) if kind == "generator" else tiny_encoder(base)
        self._parent: str | None = None
        if method == "continual":
            first = run_spec(
                root / "parent", self._base, kind=kind, max_steps=2, fine_tuning="always"
            )
            self._parent = run(first, lambda event: None)["model_dir"]

    def spec(self, name: str) -> dict[str, Any]:
        """A run in folders of its own."""
        spec = run_spec(
            self._root / name, self._base, kind=self._kind, fine_tuning="always", **SHORT
        )
        rows = [
            row | {"source": "replay" if number % 3 == 0 else "feedback"}
            for number, row in enumerate(items(repeat=2))
        ]
        write_lines(self._root / name / "dataset" / "train.jsonl", rows)
        return spec | {"method": self._method, "warm_start_model": self._parent}

    def whole(self) -> dict[str, str]:
        """What a run that nobody disturbs leaves; it is run once."""
        if self._whole is None:
            run(self.spec("whole"), lambda event: None)
            self._whole = self.left_by("whole")
        return self._whole

    def checkpoints(self, name: str) -> Path:
        """Where a run keeps its checkpoints."""
        return self._root / name / "checkpoints"

    def left_by(self, name: str) -> dict[str, str]:
        """Digests of the model and of the last checkpoint, by file."""
        folders = (
            self._root / name / "model",
            self.checkpoints(name) / f"checkpoint-{STEPS}",
        )
        return {
            f"{folder.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.is_file() and path.name not in ITS_OWN
        }


RecipeOf = Callable[[str, str], RecipeRuns]


@pytest.fixture(scope="module")
def recipe_of(tmp_path_factory: pytest.TempPathFactory) -> RecipeOf:
    """The runs of a kind and method, which share the one that is not disturbed.

    Each test names its own runs: `tmp_path.name` is another one in every test.
    """

    @functools.cache
    def of(kind: str, method: str) -> RecipeRuns:
        return RecipeRuns(tmp_path_factory.mktemp(f"{kind}-{method}"), kind, method)

    return of


def resumed(spec: dict[str, Any]) -> int:
    """Run to the end; the step from which it went on."""
    reports: list[dict[str, Any]] = []
    assert run(spec, reports.append)["steps"] == STEPS
    return int(reports[0]["resumed_from_step"])


@pytest.mark.parametrize("method", ["supervised", "continual"])
@pytest.mark.parametrize("kind", ["selector", "classifier", "generator"])
def test_a_run_killed_half_way_ends_as_one_that_was_not(
    recipe_of: RecipeOf, tmp_path: Path, kind: str, method: str
) -> None:
    recipe, name = recipe_of(kind, method), tmp_path.name
    spec = recipe.spec(name)

    kill_at(spec, step=HALF, point="reported")

    assert resumed(spec) == HALF
    left = recipe.left_by(name)
    assert left == recipe.whole()
    last = f"checkpoint-{STEPS}"
    kept = ("optimizer.safetensors", "optimizer.json", "scheduler.json", "random.safetensors")
    assert {f"{last}/{name}" for name in (*kept, "random.json")} < set(left)


@pytest.mark.parametrize("point", STANDS)
def test_a_kill_in_the_middle_of_a_checkpoints_write_leaves_one_to_go_on_from(
    recipe_of: RecipeOf, tmp_path: Path, point: str
) -> None:
    recipe, name = recipe_of("selector", "supervised"), tmp_path.name
    spec = recipe.spec(name)
    step = HALF + EVERY  # two older ones are there, so that one of them is to be removed

    kill_at(spec, step=step, point=point)

    expected = step if STANDS[point] else step - EVERY
    newest = find_newest_checkpoint(recipe.checkpoints(name))
    assert newest is not None
    assert (newest.name, is_complete(newest)) == (f"checkpoint-{expected}", True)
    assert resumed(spec) == expected
    assert recipe.left_by(name) == recipe.whole()


def test_a_run_killed_again_and_again_ends_as_one_that_was_not(
    recipe_of: RecipeOf, tmp_path: Path
) -> None:
    recipe, name = recipe_of("classifier", "supervised"), tmp_path.name
    spec = recipe.spec(name)
    for step, point in ((3, "before the rename"), (3, "reported"), (9, "after the rename")):
        kill_at(spec, step=step, point=point)

    assert resumed(spec) == 9
    assert recipe.left_by(name) == recipe.whole()


def test_what_killed_writers_left_behind_is_gone_after_the_run(
    recipe_of: RecipeOf, tmp_path: Path
) -> None:
    recipe, name = recipe_of("selector", "supervised"), tmp_path.name
    spec = recipe.spec(name)
    for _ in range(3):
        kill_at(spec, step=EVERY, point="before the manifest")

    resumed(spec)

    found = recipe.checkpoints(name).iterdir()
    # What is kept of the best epoch lies beside them.
    left = sorted(path.name for path in found if not path.name.startswith("best"))
    assert left == [f"checkpoint-{STEPS}", f"checkpoint-{STEPS - EVERY}"]
