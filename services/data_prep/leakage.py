"""Nothing that the evaluation asks may be taught."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from services.data_prep.domain import Item, Tally
from services.data_prep.normalising import as_text, input_key


def held_out_keys(lines: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The normalised inputs of an evaluation suite."""
    return frozenset(input_key(as_text(line.get("input"))) for line in lines) - {""}


def without_held_out(items: Iterable[Item], held_out: Collection[str], tally: Tally) -> list[Item]:
    """The items whose input the suite does not ask."""
    kept: list[Item] = []
    for item in items:
        if item.key in held_out:
            tally.held_out += 1
        else:
            kept.append(item)
    return kept
