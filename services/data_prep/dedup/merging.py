"""Near duplicates: those with one answer become one item, the others stay together in a
split.

What is one with a question of the evaluation suite, near enough and with its answer, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.data_prep.dedup.near_duplicates import cluster_near_duplicates
from services.data_prep.domain import (
    HeldOut,
    Item,
    PreparationCounters,
    PreparationPolicy,
    merge_items,
)


@dataclass(frozen=True, slots=True)
class MergedItems:
    """What is left, and the cluster of every key: items of one cluster must not be parted."""

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
    cluster_of = dict(zip(keys, roots, strict=False))
    return MergedItems(
        list(new_by_cluster.values()), list(replayed_by_cluster.values()), cluster_of
    )
