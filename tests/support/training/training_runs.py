"""Specs and datasets for training runs on tiny models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from archon_inference.loading import load_predictor
from services.trainer.child import run

TOOLS = [
    {"name": "get_weather", "description": "the forecast of rain for a city"},
    {"name": "Music.playSong", "description": "play a song of an artist"},
    {"name": "triangle_area", "description": "calculate the area of a triangle"},
    {"name": "book_hotel", "description": "book a room in a hotel for a night"},
]
REQUESTS = {
    "get_weather": ["will it rain in oslo", "what is the forecast for paris", "is it sunny"],
    "Music.playSong": ["play a song", "music of the artist please", "play my album"],
    "triangle_area": ["area of a triangle", "calculate the triangle", "what is the area"],
    "book_hotel": ["find me a room", "book a hotel in paris", "a room for the night"],
}


def items(*, repeat: int = 1) -> list[dict[str, Any]]:
    """Every request once or more, each with its right tool."""
    rows = [
        {"input": text, "target": tool, "difficulty": 0.5}
        for tool, texts in REQUESTS.items()
        for text in texts
    ]
    return [{"id": str(number), **row} for number, row in enumerate(rows * repeat)]


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run_spec(root: Path, base: Path, *, kind: str = "selector", **config: Any) -> dict[str, Any]:
    """A spec whose dataset and catalogue lie below `root`."""
    write_lines(root / "dataset" / "train.jsonl", items(repeat=2))
    write_lines(root / "dataset" / "validation.jsonl", items())
    (root / "catalogue.json").write_text(json.dumps(TOOLS))
    settings = {
        "epochs": 2, "batch_size": 4, "learning_rate": 1e-2, "max_length": 16,
        "frozen_layers": 1, "checkpoint_steps": 1000, "fine_tuning": "always",
    }  # fmt: skip
    return {
        "job_id": "job",
        "attempt": 1,
        "kind": kind,
        "method": "supervised",
        "base_model": base.as_uri(),
        "warm_start_model": None,
        "dataset": str(root / "dataset"),
        "catalogue": str(root / "catalogue.json") if kind == "selector" else None,
        "output_dir": str(root / "model"),
        "checkpoint_dir": str(root / "checkpoints"),
        "seed": 7,
        "threads": 1,
        "config": settings | config,
    }


def ignore(_: dict[str, Any]) -> None:
    """Reports are of no concern here."""


def head_of(model: str | Path) -> dict[str, torch.Tensor]:
    """Rows of the head by label."""
    predictor = load_predictor(Path(model))
    return dict(zip(predictor.card.labels, predictor.head.weight.detach(), strict=True))


def train(
    root: Path,
    base: Path,
    rows: list[dict[str, Any]],
    validation: list[dict[str, Any]] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A closed-form run on these rows; the spec's own validation items unless others are named."""
    run_of = run_spec(root, base, kind="classifier", fine_tuning="never") | spec
    write_lines(root / "dataset" / "train.jsonl", rows)
    if validation is not None:
        write_lines(root / "dataset" / "validation.jsonl", validation)
    return run(run_of, ignore)
