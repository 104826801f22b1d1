"""Entries for child processes: light scorings that keep to the contract of the real one.

A made-up model is a folder whose `answers.json` says which items it gets right.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Report = Callable[[dict[str, Any]], None]


def score(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Let each model answer; the base model gets nothing right."""
    items = [json.loads(line) for line in Path(spec["items"]).read_text().splitlines()]
    results = {}
    for role, location in spec["models"].items():
        if location is None:
            continue
        right = [] if role == "baseline" else _answers(Path(location))
        path = Path(spec["output_dir"]) / f"{role}.jsonl"
        path.write_text("".join(_line(item, item["id"] in right) for item in items))
        results[role] = {"predictions": str(path), "latency_seconds": 0.01}
        report({"event": "scored", "model": role})
    return results


def die(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """End without an answer."""
    os.kill(os.getpid(), 9)
    return {}


def _answers(folder: Path) -> list[str]:
    answers: list[str] = json.loads((folder / "answers.json").read_text())
    return answers


def _line(item: dict[str, Any], correct: bool) -> str:
    # The process id tells one scoring from another.
    row = {"id": item["id"], "group": item["group"], "output": f"by {os.getpid()}", "score": 0.5}
    known = item.get("target") is not None
    outcome = correct if known else None
    return json.dumps({**row, "correct": outcome, "correct_at_k": outcome}) + "\n"
