"""What others say of near-same inputs: does a judgement agree with them or contradict them?

A voice is a trusted item (remembered, or from an expert or annotator, whose near-same ones are one)
or a unit; what nobody named has given is one voice all together. Nearest neighbours as judges of
labels: A. Paudice, L. Munoz-Gonzalez, E. C. Lupu, "Label Sanitization against Label Flipping
Poisoning Attacks" (2018).
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.data_prep.domain import Item
from services.data_prep.seeded_hash import lot
from services.data_prep.trust.tfidf_neighbours import Neighbours

NEAREST = 10
"""Voices asked of either kind."""

CLOSEST = 2
"""Neighbours of one target whose mean closeness says how far an input belongs to it."""

TYPICAL_QUANTILE = 0.25
FEWEST_TYPICAL = 10
MOST_VOICES = 10_000
MOST_CHECKED = 500


class Opinion(StrEnum):
    """What others say of a judgement."""

    AGREES = "agrees"
    CONTRADICTED = "contradicted"
    UNKNOWN = "unknown"  # nothing near is known, or too few say so


@dataclass(frozen=True, slots=True)
class Nearby:
    """The target that the neighbourhood speaks for, and how close its two closest are."""

    target: str
    closeness: float


Asked = tuple[Item, Nearby | None]
"""An item, and what others say of its input."""


@dataclass(frozen=True, slots=True)
class Opinions:
    """Of each judgement; and of trusted items, each asked of all the others."""

    judged: list[Opinion]
    trusted: list[Opinion]


class Voices:
    """Trusted items and a window's judgements, asked of each other."""

    def __init__(
        self, trusted: Sequence[Item], window: Sequence[Item], *, independent: int, seed: int
    ) -> None:
        everything = [(item, None) for item in trusted] + [(item, item.unit) for item in window]
        # Of very many a drawn part is asked: the cost of a question grows with their number.
        if len(everything) > MOST_VOICES:
            everything.sort(key=lambda voice: lot(seed, "voice", voice[0].key, voice[0].target))
            everything = everything[:MOST_VOICES]
        # Trusted items first, then those of each unit together: its nearest is found in one look.
        number = {unit: n for n, unit in enumerate(dict.fromkeys(unit for _, unit in everything))}
        everything.sort(key=lambda voice: (voice[1] is not None, number[voice[1]]))
        self._items = [item for item, _ in everything]
        self._units = [unit for _, unit in everything]
        groups = [
            place
            for place, unit in enumerate(self._units)
            if unit is not None and (place == 0 or self._units[place - 1] != unit)
        ]
        self._neighbours = Neighbours([item.key for item in self._items], groups)
        self._independent = independent

    def nearby(self, item: Item, *, but_not: str | None) -> Nearby | None:
        """What others say of this input: neither the unit `but_not`, nor the item itself."""
        # One more of each, for that which is left out.
        near = self._neighbours.of(item.key, NEAREST + 1)
        trusted = [
            (closeness, self._items[place].target)
            for closeness, place in near.single
            if self._items[place] is not item
        ]
        units = [
            (closeness, self._items[place].target)
            for closeness, place in near.grouped
            if self._units[place] != but_not
        ]
        return _strongest([*trusted[:NEAREST], *self._heard(units[:NEAREST])], item.target)

    def _heard(self, votes: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
        """Units count where enough of them say the same: a few may be one person."""
        saying = Counter(target for _, target in votes)
        return [vote for vote in votes if saying[vote[1]] >= self._independent]


def opinions(
    trusted: Sequence[Item], window: Sequence[Item], *, independent: int, seed: int
) -> Opinions:
    """What others say of each judgement that a unit gave, and of trusted items.

    A judgement is contradicted where the neighbourhood speaks for another target and the input
    lies as close to that as what rightly belongs to it: a new kind of input, far from all that is
    known, contradicts nothing.
    """
    voices = Voices(trusted, window, independent=independent, seed=seed)
    checked = sorted(trusted, key=lambda item: lot(seed, "check", item.key, item.target))
    known = [(i, voices.nearby(i, but_not=None)) for i in checked[:MOST_CHECKED]]
    given = [(i, voices.nearby(i, but_not=i.unit) if i.unit else None) for i in window]
    typical = _typical(known) or _typical(given)
    return Opinions(
        judged=[_opinion(item, near, typical) for item, near in given],
        trusted=[_opinion(item, near, typical) for item, near in known],
    )


def _strongest(votes: Sequence[tuple[float, str]], own: str) -> Nearby | None:
    weights: defaultdict[str, float] = defaultdict(float)
    closest: defaultdict[str, list[float]] = defaultdict(list)
    for closeness, target in sorted(votes, reverse=True):
        weights[target] += closeness**2
        if len(closest[target]) < CLOSEST:
            closest[target].append(closeness)
    if not weights:
        return None
    target = max(weights, key=lambda name: (round(weights[name], 9), name == own, name))
    return Nearby(target, statistics.fmean(closest[target]))


def _typical(asked: Sequence[Asked]) -> float | None:
    """How close at least three quarters of what rightly belongs to a target lie to it."""
    right = sorted(near.closeness for item, near in asked if near and near.target == item.target)
    return right[int(len(right) * TYPICAL_QUANTILE)] if len(right) >= FEWEST_TYPICAL else None


def _opinion(item: Item, near: Nearby | None, typical: float | None) -> Opinion:
    if near is None or typical is None:
        return Opinion.UNKNOWN
    if near.target == item.target:
        return Opinion.AGREES
    return Opinion.CONTRADICTED if near.closeness >= typical else Opinion.UNKNOWN
