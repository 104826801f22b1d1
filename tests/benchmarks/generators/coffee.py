"""Real rewards of a language model's answers: the coffee dialogues of Taskmaster.

Split by a dialogue's opening, its first two lines: dialogues that open alike are alike, and split
row by row an answer is known from its neighbours.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.support.data.real_data import RealData

DATA_FILE: Final = "taskmaster_coffee/tm4_coffee.jsonl"
SHOWN: Final = 2
"""Last lines of a dialogue that the model reads."""
LINE_CHARACTERS: Final = 120

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CoffeeRows:
    """Rows to learn from and held-out ones, of other openings."""

    train: list[Row]
    held_out: list[Row]


def read_pairs(seed: int, held_out: float) -> CoffeeRows:
    """Contexts with a good and a bad answer, as pairs."""
    sides: dict[str, dict[bool, list[Row]]] = defaultdict(lambda: {True: [], False: []})
    for row in _read():
        sides[json.dumps(row["context"])][bool(row["reward"])].append(row)
    pairs = [
        {"input": _show(good["context"]), "target": _answer(good), "rejected": [_answer(bad)]}
        | {"opening": _opening(good)}
        for each in sides.values()
        for good, bad in zip(each[True], each[False], strict=False)
        if _answer(good) != _answer(bad)
    ]
    return _split(pairs, seed, held_out)


def read_ratings(seed: int, held_out: float, most: int) -> CoffeeRows:
    """Answers with a reward of 1 or -1; of each part at most so many bad ones, and twice as many
    good ones."""
    rows = [
        {"input": _show(row["context"]), "actual": _answer(row)}
        | {"reward": 1.0 if row["reward"] else -1.0, "opening": _opening(row)}
        for row in _read()
    ]
    split = _split(rows, seed, held_out)
    return CoffeeRows(_limit(split.train, most), _limit(split.held_out, most))


def _limit(rows: Sequence[Row], most: int) -> list[Row]:
    good = [row for row in rows if row["reward"] > 0]
    bad = [row for row in rows if row["reward"] < 0]
    return [*good[: 2 * most], *bad[:most]]


def _split(rows: Sequence[Row], seed: int, held_out: float) -> CoffeeRows:
    rng = random.Random(seed)
    # Of the whole file, so that a seed holds out the same ones of pairs and of ratings.
    openings = sorted({_opening(row) for row in _read()})
    rng.shuffle(openings)
    kept = set(openings[: round(held_out * len(openings))])
    numbered = [{"id": str(number), **row} for number, row in enumerate(rows)]
    rng.shuffle(numbered)
    parts: tuple[list[Row], list[Row]] = ([], [])
    for row in numbered:
        opening = row.pop("opening")
        parts[opening in kept].append(row)
    return CoffeeRows(*parts)


def _read() -> list[Row]:
    path = RealData().test_data / DATA_FILE
    if not path.is_file():
        raise SystemExit(f"{path} is not here; ARCHON_TEST_DATA names the folder of the data sets")
    return [json.loads(line) for line in path.read_text().splitlines()]


def _opening(row: Mapping[str, Any]) -> str:
    return json.dumps(row["context"][:2])


def _show(context: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(f"{line['role']}: {_say(line)[:LINE_CHARACTERS]}" for line in context[-SHOWN:])


def _answer(row: Mapping[str, Any]) -> str:
    return _say(row["generation"])


def _say(line: Mapping[str, Any]) -> str:
    """What was said, or the call that was made."""
    if "text" in line:
        return str(line["text"])
    called = line.get("api") or line.get("response") or {}
    return json.dumps(called, separators=(",", ":"))
