"""Near duplicates: those with one answer become one item, the others stay together in a
split.

What is one with a question of the evaluation suite, near enough and with its answer, is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.data_prep.dedup.near_duplicates import cluster_near_duplicates
from services.data_prep.domain import (
    HeldOut,
    Item,
    PreparationCounters,
    PreparationPolicy,
    merge_items,
)

GROUP_THRESHOLD: Final = 0.8
"""Jaccard index of 4-grams from which inputs stay in one part of a dataset."""
EXACT_GROUPS: Final = 25_000
"""Items up to which no such pair is missed. The time of it grows with the power 1.5 of the items;
beyond, MinHash finds most pairs and the quality report counts what is left."""
COMPARISONS: Final = 512
"""Of one input, eight times as many as where duplicates are merged: a repetition that is missed is
trained on twice, a pair in two parts is a leak."""


@dataclass(frozen=True, slots=True)
class MergedItems:
    """What is left, and the cluster of every key: items of one cluster must not be parted.

    Such clusters are wider than what is merged: parts of a dataset should not share what is alike,
    though it is no repetition.
    """

    new: list[Item]
    replayed: list[Item]
    cluster_of: Mapping[str, int]


def merge_near_duplicates(
    new: Sequence[Item],
    replayed: Sequence[Item],
    held_out: HeldOut,
    policy: PreparationPolicy,
    counters: PreparationCounters,
) -> MergedItems:
    """Unite near duplicates with one target; a new item replaces a replayed one.

    Near duplicates with different targets are all kept: it may be the one word that
    matters.
    """
    keys = [item.key for item in (*new, *replayed)]
    texts = [*keys, *held_out]
    roots = cluster_near_duplicates(
        texts, policy.near_duplicate_threshold, policy.exact_comparison_limit
    )
    asked_by_suite = {
        (root, target)
        for root, targets in zip(roots[len(keys) :], held_out.values(), strict=True)
        for target in targets
    }
    new_by_cluster: dict[tuple[int, str], Item] = {}
    for item, root in zip(new, roots, strict=False):
        if (root, item.target) in asked_by_suite:
            counters.held_out += 1
            continue
        known = new_by_cluster.get((root, item.target))
        if known is not None:
            counters.duplicates += 1
            item = merge_items(known, item)
        new_by_cluster[root, item.target] = item
    replayed_by_cluster: dict[tuple[int, str], Item] = {}
    for item, root in zip(replayed, roots[len(new) : len(keys)], strict=True):
        place = (root, item.target)
        if place not in new_by_cluster and place not in asked_by_suite:
            replayed_by_cluster.setdefault(place, item)
    left = list(new_by_cluster.values())
    repeated = list(replayed_by_cluster.values())
    return MergedItems(left, repeated, _group([*left, *repeated], policy))


def _group(items: Sequence[Item], policy: PreparationPolicy) -> dict[str, int]:
    """The cluster of every key, for splits."""
    keys = [item.key for item in items]
    threshold = min(GROUP_THRESHOLD, policy.near_duplicate_threshold)
    # Found exactly where it can be: one pair that MinHash misses is a leak.
    roots = cluster_near_duplicates(keys, threshold, EXACT_GROUPS, most_compared=COMPARISONS)
    return dict(zip(keys, roots, strict=True))


def keep_apart(
    items: Sequence[Item], asked: Collection[str], policy: PreparationPolicy
) -> tuple[Item, ...]:
    """Those whose input no question of the evaluation equals, nearly or word for word."""
    if not items or not asked:  # most windows: nothing to compare a whole suite with
        return tuple(items)
    texts = [*(item.key for item in items), *asked]
    roots = cluster_near_duplicates(
        texts, policy.near_duplicate_threshold, policy.exact_comparison_limit
    )
    taken = set(roots[len(items) :])
    return tuple(i for i, root in zip(items, roots, strict=False) if root not in taken)
