"""Replay memory: earlier items, kept and shown again so that the new does not push out the old.

A bounded reservoir per agent, balanced over targets: of each target the items with the smallest
lots stay. Which they are depends neither on the order nor on the number of times they came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from services.data_prep.domain import REPLAY, Item
from services.data_prep.seeded_hash import lot

RESERVOIR_SEED = 0


def balanced(items: Iterable[Item], seed: int) -> list[Item]:
    """All items in a drawn order: one of every target, then a second of every target, and so on."""
    by_target: defaultdict[str, list[tuple[int, Item]]] = defaultdict(list)
    for item in items:
        by_target[item.target].append((lot(seed, item.key), item))
    places: list[tuple[int, int, str, Item]] = []
    for entries in by_target.values():
        entries.sort(key=lambda entry: (entry[0], entry[1].key))
        places.extend((rank, drawn, i.key, i) for rank, (drawn, i) in enumerate(entries))
    places.sort(key=lambda place: place[:3])
    return [item for *_, item in places]


def retained(items: Iterable[Item], capacity: int) -> list[Item]:
    """What a memory of this size keeps of the items; keys must be unique."""
    return balanced(items, RESERVOIR_SEED)[:capacity]


def wanted(new_items: int, share: float) -> int:
    """How many items to replay beside so many new ones."""
    return round(new_items * share)


def candidates(memory: Sequence[Item], taken: Collection[str], count: int, seed: int) -> list[Item]:
    """Remembered items to replay, balanced over targets, none with a `taken` key."""
    drawn = balanced((item for item in memory if item.key not in taken), seed)[:count]
    return [replace(item, source=REPLAY) for item in drawn]
