"""Runs by reinforcement on a tiny model, from a dataset folder to a model folder."""

import random
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.formats import REWARDS_FILE
from archon_contracts.metric_names import (
    EFFECTIVE_LOGS,
    HELD_OUT_LOGS,
    LOGGED_REWARD,
    POLICY_VALUE,
    REWARDED_ITEMS,
    STATED_ITEMS,
    WITHOUT_PROPENSITY,
)
from archon_inference.loading import load_predictor
from services.trainer.child import run
from services.trainer.closed_form.learnt_items import load_state
from services.trainer.errors import NoLearningSignal, RunInvalid
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import REQUESTS, items, run_spec, write_lines

TOOLS = sorted(REQUESTS)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("base"))


def ignore(_: dict[str, Any]) -> None:
    """Reports are of no concern here."""


def logged(count: int = 400, **fields: Any) -> list[dict[str, Any]]:
    """Requests answered at random, with what the answer earned."""
    rng = random.Random(0)
    rows = []
    for number in range(count):
        tool = rng.choice(TOOLS)
        text, answer = rng.choice(REQUESTS[tool]), rng.choice(TOOLS)
        reward = 1.0 if answer == tool else -1.0
        rows.append(
            {"id": f"log-{number}", "input": text, "actual": answer, "reward": reward}
            | {"propensity": 0.25}
            | fields
        )
    return rows


def reinforce(
    root: Path, base: Path, rows: list[dict[str, Any]], *, kind: str = "classifier", **spec: Any
) -> dict[str, Any]:
    """A run on these logs alone, from a version that knows one request of each tool."""
    known = [row for row in items() if row["input"] == REQUESTS[row["target"]][0]]
    first = run_spec(root / "first", base, kind=kind, fine_tuning="never")
    write_lines(root / "first" / "dataset" / "train.jsonl", known)
    deployed = run(first, ignore)["model_dir"]
    spec = (
        run_spec(root, base, kind=kind)
        | {
            "method": "reinforcement",
            "warm_start_model": deployed,
        }
        | spec
    )
    liked = [row | {"target": row["actual"], "weight": 0.5} for row in rows if row["reward"] > 0]
    write_lines(root / "dataset" / "train.jsonl", liked[:1])
    write_lines(root / "dataset" / REWARDS_FILE, rows)
    return run(spec, ignore)


@pytest.mark.parametrize("kind", ["classifier", "selector"])
def test_a_policy_is_learnt_from_logs_and_its_value_is_estimated(
    tmp_path: Path, base: Path, kind: str
) -> None:
    result = reinforce(tmp_path, base, logged(), kind=kind)

    model = load_predictor(Path(result["model_dir"]))
    wanted = {text: tool for tool, texts in REQUESTS.items() for text in texts}
    answers = model.predict(list(wanted))
    right = sum(a.output == tool for a, tool in zip(answers, wanted.values(), strict=True))
    assert right >= 11
    metrics = result["metrics"]
    assert metrics[LOGGED_REWARD] < -0.3 < 0.5 < metrics[POLICY_VALUE]
    assert metrics[f"{POLICY_VALUE}_dr"] == pytest.approx(metrics[POLICY_VALUE], abs=0.3)
    assert metrics[HELD_OUT_LOGS] > metrics[EFFECTIVE_LOGS] > 4
    # Only the head is new, and a later version goes on from what was learnt in closed form.
    assert load_state(Path(result["model_dir"])) is not None


def test_a_stated_answer_counts_as_such(tmp_path: Path, base: Path) -> None:
    rows = logged(40)
    for row in rows[:20]:
        row["target"] = next(t for t, texts in REQUESTS.items() if row["input"] in texts)

    result = reinforce(tmp_path, base, rows)

    assert result["metrics"][REWARDED_ITEMS] == 40
    assert result["metrics"][STATED_ITEMS] <= 20


def test_logs_without_propensity_count_and_are_counted(tmp_path: Path, base: Path) -> None:
    result = reinforce(tmp_path, base, logged(100, propensity=None))

    assert result["metrics"][WITHOUT_PROPENSITY] == 100
    assert f"{POLICY_VALUE}_direct" in result["metrics"]
    assert f"{POLICY_VALUE}_snips" not in result["metrics"]


def test_equal_rewards_fail_the_run(tmp_path: Path, base: Path) -> None:
    with pytest.raises(NoLearningSignal, match="rewards are 1"):
        reinforce(tmp_path, base, logged(40, reward=1.0))


def test_an_unknown_reward_fails_the_run(tmp_path: Path, base: Path) -> None:
    with pytest.raises(RunInvalid, match="no reward 'clicks'"):
        reinforce(tmp_path, base, logged(40), config={"rewards": {"clicks": 1.0}})


def test_equal_runs_give_equal_models(tmp_path: Path, base: Path) -> None:
    results = [reinforce(tmp_path / name, base, logged(60)) for name in ("one", "two")]

    one, two = (Path(result["model_dir"]) / "head.safetensors" for result in results)
    assert one.read_bytes() == two.read_bytes()
