"""Training, validation and test parts that share no question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from services.data_prep.domain import Item, Split
from services.data_prep.seeded_hash import lot

Cluster = list[Item]
_ROUNDING = 1e-9


def split(
    items: Sequence[Item],
    cluster_of: Mapping[str, int],
    shares: Mapping[Split, float],
    *,
    seed: int,
    pinned: Collection[int] = (),
    stratified: bool = True,
) -> dict[Split, list[Item]]:
    """Part the items by the shares of validation and test; a cluster is never parted.

    Each target is parted by itself where it has enough clusters, and at least half of them stay
    for training; what a small target cannot give, larger ones do. `pinned` clusters are for
    training. Deterministic, whatever the order of the items.
    """
    parts: dict[Split, list[Item]] = {name: [] for name in Split}
    owed = {Split.VALIDATION: 0.0, Split.TEST: 0.0}
    for stratum in _strata(items, cluster_of, seed, pinned, stratified):
        for name in owed:
            owed[name] += shares.get(name, 0.0) * sum(len(cluster) for cluster in stratum)
        spare = len(stratum) // 2
        for cluster in stratum:
            name = max(owed, key=lambda part: owed[part])
            if spare == 0 or owed[name] < len(cluster) - _ROUNDING:
                name = Split.TRAIN
            else:
                owed[name] -= len(cluster)
                spare -= 1
            parts[name].extend(cluster)
    parts[Split.TRAIN].extend(item for item in items if cluster_of[item.key] in pinned)
    return {name: _in_order(part, items) for name, part in parts.items()}


def _strata(
    items: Sequence[Item],
    cluster_of: Mapping[str, int],
    seed: int,
    pinned: Collection[int],
    stratified: bool,
) -> list[list[Cluster]]:
    """Shuffled clusters per target, small targets first so that larger ones can make up for them.

    A cluster with several targets counts for the least of them.
    """
    clusters: defaultdict[int, Cluster] = defaultdict(list)
    for item in items:
        if cluster_of[item.key] not in pinned:
            clusters[cluster_of[item.key]].append(item)
    strata: defaultdict[str, list[tuple[int, str, Cluster]]] = defaultdict(list)
    for cluster in clusters.values():
        first = min(item.key for item in cluster)
        target = min(item.target for item in cluster) if stratified else ""
        strata[target].append((lot(seed, first), first, cluster))
    ordered = sorted(strata.items(), key=lambda entry: (len(entry[1]), entry[0]))
    return [[cluster for *_, cluster in sorted(entries)] for _, entries in ordered]


def _in_order(part: list[Item], items: Sequence[Item]) -> list[Item]:
    keys = {item.key for item in part}
    return [item for item in items if item.key in keys]
