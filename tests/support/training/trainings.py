"""Entries for child processes: light trainings that keep to the contract of the real one."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.trainer.checkpoints.store import find_newest_checkpoint, stage_checkpoint

STEP_FILE = "step.json"

Report = Callable[[dict[str, Any]], None]
Spec = dict[str, Any]


def learn(spec: Spec, report: Report) -> dict[str, Any]:
    """`max_steps` steps from the last checkpoint, a checkpoint at each; the model counts them."""
    root = Path(spec["checkpoint_dir"])
    done = _steps_done(root)
    total = spec["config"].get("max_steps", 3)
    report({"event": "started", "total_steps": total, "resumed_from_step": done})
    for step in range(done + 1, total + 1):
        if step == done + 1:
            report({"event": "first_step", "at": time.time()})
        report({"event": "metrics", "step": step, "epoch": 1.0, "values": {"loss": 1 / step}})
        _write(root, step)
        report({"event": "checkpoint", "step": step, "path": str(root)})
    return _result(spec, total)


def learn_nothing(spec: Spec, report: Report) -> dict[str, Any]:
    """End well without a step."""
    report({"event": "started", "total_steps": 1, "resumed_from_step": 0})
    return _result(spec, 0)


def refuse(spec: Spec, report: Report) -> dict[str, Any]:
    """Say that the data cannot be learnt from."""
    raise ValueError("the loss is not finite at step 3; lower the learning rate")


def die_after_each_step(spec: Spec, report: Report) -> dict[str, Any]:
    """One step and its checkpoint in each life; `max_steps` lives, then an answer."""
    root = Path(spec["checkpoint_dir"])
    done = _steps_done(root)
    if done >= spec["config"]["max_steps"]:
        return learn(spec, report)
    _write(root, done + 1)
    os.kill(os.getpid(), 9)
    return {}


def pause_after_two_steps(spec: Spec, report: Report) -> dict[str, Any]:
    """Two steps and their checkpoints, then silence; a second life does the rest."""
    if _steps_done(Path(spec["checkpoint_dir"])):
        return learn(spec, report)
    _two_steps(spec, report)
    time.sleep(120)
    return {}


def pause_in_the_third_checkpoint(spec: Spec, report: Report) -> dict[str, Any]:
    """Two steps with checkpoints, half of a third, then silence; a second life does the rest."""
    root = Path(spec["checkpoint_dir"])
    if _steps_done(root):
        return learn(spec, report)
    _two_steps(spec, report)
    with stage_checkpoint(root, 3) as folder:
        (folder / STEP_FILE).write_text('{"st')
        time.sleep(120)
    return {}


def learn_when_signalled(spec: Spec, report: Report) -> dict[str, Any]:
    """Wait for the file `go` beside the checkpoints, then learn."""
    report({"event": "waiting", "pid": os.getpid()})
    while not (Path(spec["checkpoint_dir"]) / "go").exists():
        time.sleep(0.02)
    return learn(spec, report)


def learn_until_signalled(spec: Spec, report: Report) -> dict[str, Any]:
    """A step a second, with its metrics and checkpoint, until the file `go` is beside these."""
    root = Path(spec["checkpoint_dir"])
    done = first = _steps_done(root)
    total = spec["config"]["max_steps"]
    report({"event": "started", "total_steps": total, "resumed_from_step": done})
    while done < total and not (root / "go").exists():
        done += 1
        if done == first + 1:
            report({"event": "first_step", "at": time.time()})
        report({"event": "metrics", "step": done, "epoch": 1.0, "values": {"loss": 1 / done}})
        _write(root, done)
        report({"event": "checkpoint", "step": done, "path": str(root)})
        time.sleep(1.0)
    return _result(spec, done)


def _two_steps(spec: Spec, report: Report) -> None:
    learn({**spec, "config": {"max_steps": 2}}, report)
    report({"event": "paused", "pid": os.getpid()})


def _write(root: Path, step: int) -> None:
    with stage_checkpoint(root, step) as folder:
        (folder / STEP_FILE).write_text(json.dumps(step))


def _steps_done(root: Path) -> int:
    """The step of the newest whole checkpoint; 0 without one."""
    newest = find_newest_checkpoint(root)
    return int(json.loads((newest / STEP_FILE).read_text())) if newest else 0


def _result(spec: Spec, steps: int) -> dict[str, Any]:
    model = Path(spec["output_dir"]) / "model"
    model.mkdir()
    (model / "weights.json").write_text(json.dumps({"steps": steps, "seed": spec["seed"]}))
    return {
        "steps": steps,
        "metrics": {"loss": 0.25, "ratio": float("nan")},
        "model_dir": str(model),
        "seconds": 0.1,
        "peak_memory_mb": 12.0,
        "library_versions": {"python": "3"},
    }
