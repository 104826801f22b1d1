"""CLINC150 and BFCL as rows for benchmarks of data preparation."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from deploy.demo.bfcl import load_benchmark
from tests.support.data.real_data import RealData

DATA_FILE: Final = "clinc150/clinc150_full.jsonl"
OUT_OF_SCOPE: Final = "oos"


class LabelledRow(NamedTuple):
    """A text and its label."""

    text: str
    label: str


def read_clinc(part: str, *, most: int | None = None) -> list[LabelledRow]:
    """The rows of a part (train, val, test) that are of an intent; `most` by a fixed shuffle."""
    path = RealData().test_data / DATA_FILE
    with path.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    rows = [
        LabelledRow(row["text"], row["intent"])
        for row in found
        if row["split"] == part and row["intent"] != OUT_OF_SCOPE
    ]
    random.Random(0).shuffle(rows)
    return rows[:most]


def read_bfcl() -> list[LabelledRow]:
    """All requests of the benchmark that the demo reads, with the function that answers each."""
    found = load_benchmark(0)
    items = (*found.initial, *found.held_out, *found.production)
    return [LabelledRow(item.input, item.target) for item in items]


def flip_labels(
    rows: Sequence[LabelledRow], proportion: float, seed: int
) -> tuple[list[str], set[int]]:
    """The labels of which a proportion is another one, uniformly; and where."""
    rng, labels = random.Random(seed), sorted({row.label for row in rows})
    flipped = set(rng.sample(range(len(rows)), round(proportion * len(rows))))
    given = [
        rng.choice([label for label in labels if label != row.label])
        if at in flipped
        else row.label
        for at, row in enumerate(rows)
    ]
    return given, flipped
