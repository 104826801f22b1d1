"""What others say of near-same inputs: does a feedback item agree with them or contradict them?

A reference is a trusted item (remembered, or from an expert or annotator, whose near-same ones are
one) or a unit; what nobody named has window_items is one reference all together. Nearest neighbours
as rates of labels: A. Paudice, L. Munoz-Gonzalez, E. C. Lupu, "Label Sanitization against Label
Flipping Poisoning Attacks" (2018).
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.data_prep.domain import Item
from services.data_prep.seeded_hash import seeded_hash
from services.data_prep.trust.tfidf_neighbours import TfidfNeighbours

NEAREST_NEIGHBOURS = 10
"""References consulted of either kind."""

CLOSEST_NEIGHBOURS = 2
"""Neighbours of one target whose mean similarity says how far an input belongs to it."""

TYPICAL_QUANTILE = 0.25
MINIMUM_FOR_TYPICAL = 10
MAXIMUM_REFERENCES = 10_000
MAXIMUM_CHECKED = 500


class Consistency(StrEnum):
    """What others say of a feedback item."""

    AGREES = "agrees"
    CONTRADICTED = "contradicted"
    UNKNOWN = "unknown"  # nothing near is known, or too few say so


@dataclass(frozen=True, slots=True)
class Consensus:
    """The target that the neighbours vote for, and how close its two closest are."""

    target: str
    similarity: float


CheckedItem = tuple[Item, Consensus | None]
"""An item, and what others say of its input."""


@dataclass(frozen=True, slots=True)
class ConsistencyReport:
    """Of each feedback item; and of trusted items, each compared with all the others."""

    feedback: list[Consistency]
    trusted: list[Consistency]


class ConsistencyChecker:
    """Trusted items and a window's feedback items, compared with each other."""

    def __init__(
        self, trusted: Sequence[Item], window: Sequence[Item], *, independent_raters: int, seed: int
    ) -> None:
        references = [(item, None) for item in trusted] + [(item, item.unit) for item in window]
        # Of very many a sampled part is consulted: the cost of a question grows with their number.
        if len(references) > MAXIMUM_REFERENCES:
            references.sort(
                key=lambda reference: seeded_hash(
                    seed, "reference", reference[0].key, reference[0].target
                )
            )
            references = references[:MAXIMUM_REFERENCES]
        # Trusted items first, then those of each unit together: its nearest is found in one look.
        number = {unit: n for n, unit in enumerate(dict.fromkeys(unit for _, unit in references))}
        references.sort(key=lambda reference: (reference[1] is not None, number[reference[1]]))
        self._items = [item for item, _ in references]
        self._units = [unit for _, unit in references]
        groups = [
            place
            for place, unit in enumerate(self._units)
            if unit is not None and (place == 0 or self._units[place - 1] != unit)
        ]
        self._neighbours = TfidfNeighbours([item.key for item in self._items], groups)
        self._independent_raters = independent_raters

    def find_consensus(self, item: Item, *, excluding_unit: str | None) -> Consensus | None:
        """What others say of this input: neither the unit `excluding_unit`, nor the item itself."""
        # One more of each, for that which is left out.
        near = self._neighbours.find_nearest(item.key, NEAREST_NEIGHBOURS + 1)
        trusted = [
            (similarity, self._items[place].target)
            for similarity, place in near.single
            if self._items[place] is not item
        ]
        units = [
            (similarity, self._items[place].target)
            for similarity, place in near.grouped
            if self._units[place] != excluding_unit
        ]
        return _strongest_target(
            [*trusted[:NEAREST_NEIGHBOURS], *self._with_enough_units(units[:NEAREST_NEIGHBOURS])],
            item.target,
        )

    def _with_enough_units(self, votes: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
        """Units count where enough of them say the same: a few may be one person."""
        units_per_target = Counter(target for _, target in votes)
        return [vote for vote in votes if units_per_target[vote[1]] >= self._independent_raters]


def check_consistency(
    trusted: Sequence[Item], window: Sequence[Item], *, independent_raters: int, seed: int
) -> ConsistencyReport:
    """What others say of each feedback item that a unit gave, and of trusted items.

    A feedback item is contradicted where the neighbours vote for another target and the input
    lies as close to that as what rightly belongs to it: a new kind of input, far from all that is
    known, contradicts nothing.
    """
    checker = ConsistencyChecker(trusted, window, independent_raters=independent_raters, seed=seed)
    checked = sorted(trusted, key=lambda item: seeded_hash(seed, "check", item.key, item.target))
    checked_trusted = [
        (i, checker.find_consensus(i, excluding_unit=None)) for i in checked[:MAXIMUM_CHECKED]
    ]
    window_items = [
        (i, checker.find_consensus(i, excluding_unit=i.unit) if i.unit else None) for i in window
    ]
    typical_similarity = _typical_similarity(checked_trusted) or _typical_similarity(window_items)
    return ConsistencyReport(
        feedback=[_classify(item, near, typical_similarity) for item, near in window_items],
        trusted=[_classify(item, near, typical_similarity) for item, near in checked_trusted],
    )


def _strongest_target(votes: Sequence[tuple[float, str]], own: str) -> Consensus | None:
    weights: defaultdict[str, float] = defaultdict(float)
    closest: defaultdict[str, list[float]] = defaultdict(list)
    for similarity, target in sorted(votes, reverse=True):
        # Squared: one very near text says more than several that are hardly alike.
        weights[target] += similarity**2
        if len(closest[target]) < CLOSEST_NEIGHBOURS:
            closest[target].append(similarity)
    if not weights:
        return None
    # Rounded, and the item's own target first: a tie contradicts nobody.
    target = max(weights, key=lambda name: (round(weights[name], 9), name == own, name))
    return Consensus(target, statistics.fmean(closest[target]))


def _typical_similarity(checked: Sequence[CheckedItem]) -> float | None:
    """How close at least three quarters of what rightly belongs to a target lie to it."""
    right = sorted(near.similarity for item, near in checked if near and near.target == item.target)
    return right[int(len(right) * TYPICAL_QUANTILE)] if len(right) >= MINIMUM_FOR_TYPICAL else None


def _classify(item: Item, near: Consensus | None, typical_similarity: float | None) -> Consistency:
    if near is None or typical_similarity is None:
        return Consistency.UNKNOWN
    if near.target == item.target:
        return Consistency.AGREES
    return (
        Consistency.CONTRADICTED if near.similarity >= typical_similarity else Consistency.UNKNOWN
    )
