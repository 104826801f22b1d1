"""Training, validation and test parts that share no question."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from archon_contracts.commands import SourceKind
from archon_contracts.formats import Split
from services.data_prep.domain import Item
from services.data_prep.seeded_hash import seeded_hash

Cluster = list[Item]
# Sums of proportions miss whole numbers by rounding errors.
_TOLERANCE = 1e-9
_EVALUATED: Final = (Split.TEST, Split.VALIDATION)

STABLE_CLUSTERS: Final = 2_000
"""From so many on the hashes alone mostly give each part its size within `STABLE_DISTANCE`."""
STABLE_DISTANCE: Final = 0.01

TEST_PROPORTION_PER_RATER: Final = 0.1
MINIMUM_TEST_ITEMS_PER_RATER: Final = 3


def split(
    items: Sequence[Item],
    cluster_of: Mapping[str, int],
    shares: Mapping[Split, float],
    *,
    seed: int,
    pinned: Collection[int] = (),
    stratified: bool = True,
) -> dict[Split, list[Item]]:
    """Split the items by the proportions of validation and test; a cluster is never split.

    Each target is parted by itself where it has enough clusters, and at least half of them stay
    for training; what a small target cannot give, larger ones do. `pinned` clusters are for
    training. Deterministic, whatever the order of the items; which items are tested with
    depends on the seed and the test share alone.

    In a large dataset a cluster's hash alone decides, so that a record keeps its part in every
    later version: what a quota has room for changes with each item that is added.
    """
    strata = _shuffle_strata(items, cluster_of, seed, pinned, stratified)
    parts = _split_by_hash(strata, shares, seed) or _split_by_quota(strata, shares)
    parts[Split.TRAIN].extend(item for item in items if cluster_of[item.key] in pinned)
    return {name: _restore_order(part, items) for name, part in parts.items()}


def _split_by_hash(
    strata: Sequence[Sequence[Cluster]], shares: Mapping[Split, float], seed: int
) -> dict[Split, list[Item]] | None:
    """Test and validation from both ends of the hashes; None where the sizes would be wrong."""
    if sum(map(len, strata)) < STABLE_CLUSTERS:
        return None
    parts: dict[Split, list[Item]] = {name: [] for name in Split}
    test, validation = shares.get(Split.TEST, 0.0), shares.get(Split.VALIDATION, 0.0)
    for stratum in strata:
        places = [seeded_hash(seed, min(i.key for i in each)) / 2**64 for each in stratum]
        most = len(stratum) // 2
        tested = min(most, bisect_left(places, test))
        rest = max(len(stratum) - most + tested, bisect_left(places, 1 - validation))
        ends = (0, tested, rest, len(stratum))
        for name, start, end in zip(
            (Split.TEST, Split.TRAIN, Split.VALIDATION), ends[:-1], ends[1:], strict=True
        ):
            parts[name] += [item for cluster in stratum[start:end] for item in cluster]
    total = sum(map(len, parts.values()))
    distances = (abs(len(parts[name]) / total - shares.get(name, 0.0)) for name in _EVALUATED)
    return parts if max(distances) <= STABLE_DISTANCE else None


def _split_by_quota(
    strata: Sequence[list[Cluster]], shares: Mapping[Split, float]
) -> dict[Split, list[Item]]:
    parts: dict[Split, list[Item]] = {name: [] for name in Split}
    remaining_quota = dict.fromkeys(_EVALUATED, 0.0)
    for stratum in strata:
        for name in remaining_quota:
            remaining_quota[name] += shares.get(name, 0.0) * sum(
                len(cluster) for cluster in stratum
            )
        rest = stratum
        most = len(stratum) // 2
        # The test first, and the validation from the other end of the order: another validation
        # share then moves nothing into the test or out of it.
        for name in _EVALUATED:
            taken, rest = _take(rest, remaining_quota[name], most)
            remaining_quota[name] -= sum(len(cluster) for cluster in taken)
            most -= len(taken)
            parts[name].extend(item for cluster in taken for item in cluster)
            rest = rest[::-1]
        parts[Split.TRAIN].extend(item for cluster in rest for item in cluster)
    return parts


def _take(
    clusters: Sequence[Cluster], quota: float, most: int
) -> tuple[list[Cluster], list[Cluster]]:
    """The first clusters that the quota has room for, at most so many, and the others."""
    taken: list[Cluster] = []
    others: list[Cluster] = []
    for cluster in clusters:
        if len(taken) < most and quota >= len(cluster) - _TOLERANCE:
            quota -= len(cluster)
            taken.append(cluster)
        else:
            others.append(cluster)
    return taken, others


def cap_raters(
    parts: Mapping[Split, list[Item]], cluster_of: Mapping[str, int], *, seed: int
) -> dict[Split, list[Item]]:
    """Let no rater write the test: what is over a rater's part of it is trained on instead.

    Feedback without a unit counts as one rater where others are named. Where nobody is named,
    raters cannot be distinguished, and nothing is moved.
    """
    test = parts[Split.TEST]
    names = {item.unit for item in test if item.source == SourceKind.FEEDBACK}
    if not any(names):
        return dict(parts)
    limit = max(MINIMUM_TEST_ITEMS_PER_RATER, math.floor(TEST_PROPORTION_PER_RATER * len(test)))
    given: Counter[str] = Counter()
    moved: set[int] = set()
    for item in sorted(test, key=lambda each: (seeded_hash(seed, "rater", each.key), each.key)):
        if item.source == SourceKind.FEEDBACK and cluster_of[item.key] not in moved:
            given[item.unit] += 1
            if given[item.unit] > limit:
                moved.add(cluster_of[item.key])
    surplus = [item for item in test if cluster_of[item.key] in moved]
    kept = [item for item in test if cluster_of[item.key] not in moved]
    return {**parts, Split.TRAIN: [*parts[Split.TRAIN], *surplus], Split.TEST: kept}


def _shuffle_strata(
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
        strata[target].append((seeded_hash(seed, first), first, cluster))
    ordered = sorted(strata.items(), key=lambda entry: (len(entry[1]), entry[0]))
    return [[cluster for *_, cluster in sorted(entries)] for _, entries in ordered]


def _restore_order(part: list[Item], items: Sequence[Item]) -> list[Item]:
    keys = {item.key for item in part}
    return [item for item in items if item.key in keys]
