from pathlib import Path
from typing import Any

import pytest
import torch

from services.trainer.child import run
from services.trainer.errors import NoLearningSignal, RewardInvalid
from services.trainer.recipes.generators import answer_rewards
from services.trainer.recipes.generators.reinforcement import (
    STEPS_WITHOUT_SIGNAL,
    compute_advantages,
)
from tests.support.training.tiny_models import tiny_causal_model
from tests.support.training.training_runs import run_spec, write_lines
from tests.unit.trainer.recipes.generators.test_answer_rewards import Point

# PEFT still asks transformers by the old name.
ROWS = [
    {"id": str(n), "input": text, "target": target}
    for n, (text, target) in enumerate(
        [("what is the weather", "rain"), ("play my song please", "music")] * 4
    )
]
ADAPTER = "adapter/adapter_model.safetensors"


class PolicyKilled(Exception):
    """Stands for the end of the process."""


def _spec(root: Path, **config: Any) -> dict[str, Any]:
    base = tiny_causal_model(root / "base", spread=0.3)
    settings = {
        "epochs": 20, "max_steps": 4, "max_length": 32, "learning_rate": 2e-2, "max_new_tokens": 2,
    }  # fmt: skip
    spec = run_spec(root, base, kind="generator", **(settings | config))
    write_lines(root / "dataset" / "train.jsonl", ROWS)
    write_lines(root / "dataset" / "validation.jsonl", ROWS[:2])
    return spec | {"method": "reinforcement"}


def _install(monkeypatch: pytest.MonkeyPatch, reward: Any) -> None:
    monkeypatch.setattr(answer_rewards, "entry_points", lambda group: [Point("own", reward)])


def _sings(item: Any) -> float:
    return float("song" in item.actual or "music" in item.actual)


def test_what_is_rewarded_becomes_more_frequent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(monkeypatch, _sings)

    metrics = run(_spec(tmp_path, rewards={"own": 1.0}, max_steps=12), lambda event: None)[
        "metrics"
    ]

    assert metrics["reward/after"] > metrics["reward/before"] + 0.3
    assert metrics["reward/after_own"] == metrics["reward/after"]
    assert metrics["reward/spread"] > 0


def test_a_policy_that_never_earns_a_reward_is_refused_and_a_supervised_start_is_offered(
    tmp_path: Path,
) -> None:
    with pytest.raises(NoLearningSignal, match=r"all earn 0; start with training\.sup"):
        run(_spec(tmp_path), lambda event: None)


def test_after_a_supervised_start_it_learns_by_reward(tmp_path: Path) -> None:
    metrics = run(
        _spec(tmp_path, supervised_steps=12, learning_rate=1e-2, max_steps=12), lambda event: None
    )["metrics"]

    assert metrics["reward/before"] > 0
    assert metrics["reward/after"] > metrics["reward/before"]


def test_rewards_that_stop_to_differ_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def differs_at_first(item: Any) -> float:
        calls.append(1)
        return _sings(item) if len(calls) <= 8 * 8 else 0.0

    _install(monkeypatch, differs_at_first)
    steps = STEPS_WITHOUT_SIGNAL + 3

    with pytest.raises(NoLearningSignal, match=f"for {STEPS_WITHOUT_SIGNAL} steps"):
        run(_spec(tmp_path, rewards={"own": 1.0}, max_steps=steps), lambda event: None)


def test_a_reward_that_is_not_a_number_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(monkeypatch, lambda item: float("nan"))

    with pytest.raises(RewardInvalid, match="returned nan"):
        run(_spec(tmp_path, rewards={"own": 1.0}), lambda event: None)


def test_a_run_that_died_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(monkeypatch, _sings)
    options = {"rewards": {"own": 1.0}, "checkpoint_steps": 2, "supervised_steps": 2}

    def die(event: dict[str, Any]) -> None:
        if event["event"] == "checkpoint":
            raise PolicyKilled

    run(_spec(tmp_path / "whole", **options), lambda event: None)
    with pytest.raises(PolicyKilled):
        run(_spec(tmp_path / "halves", **options), die)
    run(_spec(tmp_path / "halves", **options), lambda event: None)

    one, other = (
        (tmp_path / name / "model" / ADAPTER).read_bytes() for name in ("whole", "halves")
    )
    assert one == other


def test_an_advantage_is_relative_to_the_group_and_none_without_spread() -> None:
    advantages = compute_advantages(torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.3, 0.3, 0.3, 0.3]]))

    assert advantages[0].tolist() == pytest.approx([0.866, -0.866, -0.866, 0.866], abs=1e-3)
    assert advantages[1].tolist() == [0.0] * 4
