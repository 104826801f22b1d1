import hashlib
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.metric_names import VALIDATION_ACCURACY
from services.trainer.checkpoints.store import find_newest_checkpoint
from services.trainer.child import run
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import items, run_spec, write_lines

PICKLES = {".pt", ".pth", ".bin", ".pkl", ".pickle"}


class RunKilled(Exception):
    """Stands for the end of the process."""


def _die_at(checkpoint_step: int) -> Any:
    def report(event: dict[str, Any]) -> None:
        if event["event"] == "checkpoint" and event["step"] == checkpoint_step:
            raise RunKilled

    return report


def _digest(root: Path) -> str:
    return hashlib.sha256((root / "model" / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("kind", "stopped_at"),
    [("selector", 3), ("selector", 6), ("selector", 12), ("classifier", 9)],
    ids=["in an epoch", "between epochs", "at the end", "in the last epoch"],
)
def test_a_run_that_died_and_resumed_ends_with_the_weights_of_one_that_did_not(
    tmp_path: Path, kind: str, stopped_at: int
) -> None:
    base = tiny_encoder(tmp_path / "base")
    whole = run_spec(tmp_path / "whole", base, kind=kind, checkpoint_steps=3)
    halves = run_spec(tmp_path / "halves", base, kind=kind, checkpoint_steps=3)
    reports: list[dict[str, Any]] = []

    run(whole, lambda event: None)
    with pytest.raises(RunKilled):
        run(halves, _die_at(stopped_at))
    result = run(halves, reports.append)

    assert reports[0]["resumed_from_step"] == stopped_at
    assert result["steps"] == 12
    assert _digest(tmp_path / "halves") == _digest(tmp_path / "whole")


def test_a_run_that_died_after_its_last_epoch_has_its_validation_figures(tmp_path: Path) -> None:
    spec = run_spec(tmp_path, tiny_encoder(tmp_path / "base"), checkpoint_steps=3)
    first = run(spec, lambda event: None)["metrics"]

    again = run(spec, lambda event: None)["metrics"]

    assert again[VALIDATION_ACCURACY] == first[VALIDATION_ACCURACY]


def test_a_torn_checkpoint_costs_steps_but_not_the_result(tmp_path: Path) -> None:
    base = tiny_encoder(tmp_path / "base")
    spec = run_spec(tmp_path / "torn", base, checkpoint_steps=3)
    with pytest.raises(RunKilled):
        run(spec, _die_at(6))
    torn = find_newest_checkpoint(tmp_path / "torn" / "checkpoints")
    assert torn is not None
    (torn / "optimizer.safetensors").write_bytes(b"torn")
    reports: list[dict[str, Any]] = []

    run(spec, reports.append)
    run(run_spec(tmp_path / "whole", base), lambda event: None)

    assert reports[0]["resumed_from_step"] == 3
    assert _digest(tmp_path / "torn") == _digest(tmp_path / "whole")


def test_checkpoints_hold_no_pickle_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    run(run_spec(tmp_path, tiny_encoder(tmp_path / "base"), checkpoint_steps=3), lambda event: None)

    kept = sorted(path.name for path in (tmp_path / "checkpoints").glob("checkpoint-*"))
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == ["checkpoint-12", "checkpoint-9"]
    assert not suffixes & PICKLES


def test_a_resumed_retrain_keeps_its_distillation_targets(tmp_path: Path) -> None:
    base = tiny_encoder(tmp_path / "base")
    parent = run(run_spec(tmp_path / "parent", base), lambda event: None)["model_dir"]
    specs = [run_spec(tmp_path / name, base, checkpoint_steps=3) for name in ("whole", "halves")]
    for spec in specs:
        spec |= {"warm_start_model": parent, "method": "continual"}
        rows = [row | {"source": "replay"} for row in items(repeat=2)]
        write_lines(Path(spec["dataset"]) / "train.jsonl", rows)

    run(specs[0], lambda event: None)
    with pytest.raises(RunKilled):
        run(specs[1], _die_at(9))
    run(specs[1], lambda event: None)

    assert _digest(tmp_path / "halves") == _digest(tmp_path / "whole")
