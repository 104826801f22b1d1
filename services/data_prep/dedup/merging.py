"""Near duplicates: those with one answer become one item, the others stay together in a split.

What is one with a question of the evaluation suite, near enough and with its answer, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.data_prep.dedup.near_duplicates import clusters
from services.data_prep.domain import HeldOut, Item, Policy, Tally, united


@dataclass(frozen=True, slots=True)
class Folded:
    """What is left, and the cluster of every key: items of one cluster must not be parted."""

    new: list[Item]
    replayed: list[Item]
    cluster_of: Mapping[str, int]


def fold(
    new: Sequence[Item],
    replayed: Sequence[Item],
    held_out: HeldOut,
    policy: Policy,
    tally: Tally,
) -> Folded:
    """Unite near duplicates with one target; a new item replaces a replayed one.

    Near duplicates with different targets are all kept: it may be the one word that matters.
    """
    keys = [item.key for item in (*new, *replayed)]
    texts = [*keys, *held_out]
    roots = clusters(texts, policy.near_duplicate_threshold, policy.exact_comparison_limit)
    asked = {
        (root, target)
        for root, targets in zip(roots[len(keys) :], held_out.values(), strict=True)
        for target in targets
    }
    fresh: dict[tuple[int, str], Item] = {}
    for item, root in zip(new, roots, strict=False):
        if (root, item.target) in asked:
            tally.held_out += 1
            continue
        known = fresh.get((root, item.target))
        if known is not None:
            tally.duplicates += 1
            item = united(known, item)
        fresh[root, item.target] = item
    old: dict[tuple[int, str], Item] = {}
    for item, root in zip(replayed, roots[len(new) : len(keys)], strict=True):
        place = (root, item.target)
        if place not in fresh and place not in asked:
            old.setdefault(place, item)
    cluster_of = dict(zip(keys, roots, strict=False))
    return Folded(list(fresh.values()), list(old.values()), cluster_of)
