"""Specs and datasets for training runs on tiny models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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
