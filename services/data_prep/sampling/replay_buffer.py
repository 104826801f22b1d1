"""Replay memory: earlier items, kept and shown again so that the new does not push out the old.

A bounded reservoir per agent, balanced over targets: of each target the items with the smallest
seeded hashes stay. Which they are depends neither on the order nor on the number of times they
came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from archon_contracts.formats import REPLAY
from services.data_prep.domain import Item
from services.data_prep.seeded_hash import seeded_hash

RESERVOIR_SEED = 0
"""Of an installation without a sampling secret."""


def balance_over_targets(items: Iterable[Item], seed: int) -> list[Item]:
    """All items in a seeded random order: one of every target, then a second of every target, and
    so on.
    """
    by_target: defaultdict[str, list[tuple[int, Item]]] = defaultdict(list)
    for item in items:
        by_target[item.target].append((seeded_hash(seed, item.key), item))
    places: list[tuple[int, int, str, Item]] = []
    for entries in by_target.values():
        entries.sort(key=lambda entry: (entry[0], entry[1].key))
        places.extend((rank, hashed, i.key, i) for rank, (hashed, i) in enumerate(entries))
    places.sort(key=lambda place: place[:3])
    return [item for *_, item in places]


def select_retained(items: Iterable[Item], capacity: int, seed: int = RESERVOIR_SEED) -> list[Item]:
    """What a memory of this size keeps of the items; keys must be unique."""
    return balance_over_targets(items, seed)[:capacity]


def count_to_replay(new_items: int, share: float) -> int:
    """How many items to replay beside so many new ones."""
    return round(new_items * share)


def select_candidates(
    memory: Sequence[Item], taken: Collection[str], count: int, seed: int
) -> list[Item]:
    """Remembered items to replay, balanced over targets, none with a `taken` key."""
    sampled = balance_over_targets((item for item in memory if item.key not in taken), seed)[:count]
    return [item.model_copy(update={"source": REPLAY}) for item in sampled]
