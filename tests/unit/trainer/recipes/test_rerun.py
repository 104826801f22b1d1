"""A run that is made again from the same spec ends with the same bytes, by each method.

Supervised runs are in `test_training.py`.
"""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from services.trainer.child import run
from services.trainer.recipes.generators import answer_rewards
from tests.support.training.tiny_models import tiny_causal_model, tiny_encoder
from tests.support.training.training_runs import REQUESTS, run_spec, write_lines
from tests.unit.trainer.recipes.generators.test_answer_rewards import Point

QUESTIONS = ("what is the weather", "forecast for oslo", "is it sunny", "rain in paris")
PAIRS = [
    {"id": str(n), "input": text, "target": "rain", "actual": "music", "rejected": ["music"]}
    for n, text in enumerate(QUESTIONS)
]
LOGS = [
    {"id": f"log-{n}", "input": text, "actual": answer, "propensity": 0.25}
    | {"reward": 1.0 if answer == tool else -1.0}
    for n, (text, tool, answer) in enumerate(
        (text, tool, answer)
        for tool, texts in REQUESTS.items()
        for text in texts
        for answer in REQUESTS
    )
]


def _ignore(_: dict[str, Any]) -> None:
    """Reports are of no concern here."""


def _weights(folder: Path) -> dict[str, str]:
    """The digest of each file of weights."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.safetensors"))
    }


def _train(spec: dict[str, Any]) -> dict[str, str]:
    return _weights(Path(run(spec, _ignore)["model_dir"]))


def _reward_length(item: Any) -> float:
    return len(item.actual) / 100


@pytest.mark.parametrize("method", ["preference", "reinforcement"])
def test_a_generator_is_the_same_again(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [Point("own", _reward_length)]
    monkeypatch.setattr(answer_rewards, "entry_points", lambda group: points)
    base = tiny_causal_model(tmp_path / "base", spread=0.3)
    found = []
    for name in ("first", "again"):
        spec = run_spec(
            tmp_path / name, base, kind="generator", max_steps=2, max_length=32, lora_rank=4,
            max_new_tokens=2, epochs=8, rewards={"own": 1.0},
        )  # fmt: skip
        write_lines(tmp_path / name / "dataset" / "train.jsonl", PAIRS)
        write_lines(tmp_path / name / "dataset" / "validation.jsonl", PAIRS[:2])
        found.append(_train(spec | {"method": method}))

    assert any(name.startswith("adapter") for name in found[0])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("selector", "continual"),
        ("selector", "preference"),
        ("classifier", "reinforcement"),
        ("classifier", "transfer"),
    ],
)
def test_an_encoders_model_is_the_same_again(tmp_path: Path, kind: str, method: str) -> None:
    base = tiny_encoder(tmp_path / "base")
    parent = run(run_spec(tmp_path / "parent", base, kind=kind, epochs=1), _ignore)["model_dir"]
    start = "source_model" if method == "transfer" else "warm_start_model"
    found = []
    for name in ("first", "again"):
        spec = run_spec(tmp_path / name, base, kind=kind, epochs=1, compare_starts=False)
        if method in ("preference", "reinforcement"):
            write_lines(tmp_path / name / "dataset" / "rewards.jsonl", LOGS)
        found.append(_train(spec | {"method": method, start: parent}))

    assert found[0]
    assert found[0] == found[1]
