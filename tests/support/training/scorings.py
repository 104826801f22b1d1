"""Entries for child processes: light scorings that keep to the contract of the real one.

A made-up model is a folder whose `answers.json` says which items it gets right.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archon_contracts.formats import (
    PredictionRow,
    SuiteItem,
    predictions_file,
    read_jsonl,
    to_jsonl,
)
from services.evaluator.child import compare_models

Report = Callable[[dict[str, Any]], None]


def score(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Let each model answer, the base model gets nothing right; the comparison is the real one."""
    items = list(read_jsonl(Path(spec["items"]), SuiteItem))
    for role, location in spec["models"].items():
        if location is None:
            continue
        right = [] if role in ("baseline", "nearest_neighbours") else _answers(Path(location))
        path = Path(spec["output_dir"]) / predictions_file(role)
        path.write_bytes(to_jsonl(_row(item, item.id in right) for item in items))
        report({"event": "scored", "model": role})
    return {"report": compare_models(spec)}


def score_update(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """The same for an update, whose models are named with their digests."""
    models = {role: model["folder"] for role, model in spec["models"].items()}
    return score(spec | {"models": models, "control": "deployed", "kind": "classifier"}, report)


def die(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """End without an answer."""
    os.kill(os.getpid(), 9)
    return {}


def _answers(folder: Path) -> list[str]:
    answers: list[str] = json.loads((folder / "answers.json").read_text())
    return answers


def _row(item: SuiteItem, correct: bool) -> PredictionRow:
    outcome = correct if item.target else None
    return PredictionRow(
        id=item.id,
        group=item.group,
        target=item.target,
        output=f"by {os.getpid()}",  # distinguishes one scoring from another
        score=0.5,
        correct=outcome,
        correct_at_k=outcome,
        latency_seconds=0.01,
    )
