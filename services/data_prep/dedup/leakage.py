"""Nothing that the evaluation asks may be taught."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from typing import Any

from services.data_prep.domain import HeldOut, Item, Tally
from services.data_prep.text import as_text, input_key


def held_out_of(lines: Iterable[Mapping[str, Any]]) -> HeldOut:
    """What an evaluation suite asks, and the answers that it expects."""
    held_out: defaultdict[str, set[str]] = defaultdict(set)
    for line in lines:
        held_out[input_key(as_text(line.get("input")))].add(as_text(line.get("target")))
    return {key: frozenset(targets) for key, targets in held_out.items() if key}


def without_held_out(items: Iterable[Item], held_out: Container[str], tally: Tally) -> list[Item]:
    """The items whose input the suite does not ask word for word."""
    kept: list[Item] = []
    for item in items:
        if item.key in held_out:
            tally.held_out += 1
        else:
            kept.append(item)
    return kept
