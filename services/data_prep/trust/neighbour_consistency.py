"""What others say of near-same inputs: does a feedback item agree with them or contradict them?

A reference is a trusted item (provided, remembered, or from an expert or annotator, whose near-same
ones are one) or a rater, of a window or remembered. Nearest neighbours as rates of labels: A.
Paudice, L. Munoz-Gonzalez, E. C. Lupu, "Label Sanitization against Label Flipping Poisoning
Attacks" (2018).
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from services.data_prep.domain import Item
from services.data_prep.seeded_hash import seeded_hash
from services.data_prep.trust.raters import Rater, RaterGroups, is_feedback, rater_of
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
    """The target that the neighbours vote for, and how close its two closest are.

    `provided_target` is that of the trusted ones alone; `is_typical`: these are close enough to
    decide.
    """

    target: str
    similarity: float
    provided_target: str = ""
    is_typical: bool = False


@dataclass(frozen=True, slots=True)
class Opinion:
    """What others say of a feedback item, and the target of the nearest trusted items where that
    is not its own: they need not be near enough to contradict, and raters may agree with it.
    """

    consistency: Consistency
    other_target: str = ""
    is_alone: bool = False
    """Whether nothing that is known resembles the input at all."""


@dataclass(frozen=True, slots=True)
class Votes:
    """Similarity and target of the nearest trusted items, and of the nearest independent raters
    that count."""

    trusted: list[tuple[float, str]]
    rater_groups: list[tuple[float, str]]


CheckedItem = tuple[Item, Consensus | None]
"""An item, and what others say of its input."""


class ConsistencyChecker:
    """Trusted items and the feedback of raters, as references for any text."""

    def __init__(
        self,
        trusted: Sequence[Item],
        feedback: Sequence[Item],
        rater_groups: RaterGroups,
        *,
        independent_raters: int,
        seed: int,
    ) -> None:
        references: list[tuple[Item, Rater | None]] = [(item, None) for item in trusted]
        references += [(item, rater_groups.rater_group_of(rater_of(item))) for item in feedback]
        # Of very many a sampled part is consulted: the cost of a question grows with their number.
        if len(references) > MAXIMUM_REFERENCES:
            references.sort(
                key=lambda one: seeded_hash(seed, "reference", one[0].key, one[0].target)
            )
            references = references[:MAXIMUM_REFERENCES]
        # Trusted items first, then those of each independent rater together: its nearest is found
        # in one look.
        number = {
            rater_group: n for n, rater_group in enumerate(dict.fromkeys(v for _, v in references))
        }
        references.sort(key=lambda one: (one[1] is not None, number[one[1]]))
        self._items = [item for item, _ in references]
        self._rater_group = [rater_group for _, rater_group in references]
        groups = [
            place
            for place, rater_group in enumerate(self._rater_group)
            if rater_group is not None
            and (place == 0 or self._rater_group[place - 1] != rater_group)
        ]
        self._neighbours = TfidfNeighbours([item.key for item in self._items], groups)
        self._rater_groups = rater_groups
        self._independent_raters = independent_raters
        self.known_targets = frozenset(item.target for item in trusted)
        self._typical_similarity: float | None = None
        # Among trusted items alone: with a window's beside them, the closest lie closer.
        self._typical_provided: float | None = None
        self._checked_trusted = self._check_trusted(trusted, seed)
        self._typical_similarity = _typical_similarity(self._checked_trusted)

    def calibrate(self, window: Sequence[Item]) -> None:
        """Where too few trusted items say how close is close, let the window's items say it."""
        if self._typical_similarity is None:
            own = [(i, self.find_consensus(i, excluding=self._own_rater_group(i))) for i in window]
            self._typical_similarity = _typical_similarity(own)

    @property
    def trusted(self) -> list[Consistency]:
        """What others say of trusted items, each compared with all the others."""
        return [self._classify(item, near).consistency for item, near in self._checked_trusted]

    def check(
        self, item: Item, *, text: str | None = None, excluding: Collection[Rater] = ()
    ) -> Opinion:
        """What others say of this item, or of it as if its input were `text`.

        It is contradicted where the neighbours vote for another target and the input lies as close
        to that as what rightly belongs to it: a new kind of input, far from all that is known,
        contradicts nothing.
        """
        left_out = {*self._own_rater_group(item), *excluding}
        return self._classify(item, self.find_consensus(item, text=text, excluding=left_out))

    def find_consensus(
        self, item: Item, *, text: str | None = None, excluding: Collection[Rater]
    ) -> Consensus | None:
        """What others say of this input: not the independent raters excluded, nor the item itself.

        Where the item's own target is known, trusted items that lie as close as is typical decide
        by themselves: names are cheap, so no number of raters hides what somebody provided.
        """
        key = item.key if text is None else text
        return self._combine(item, self._find_votes(item, key, excluding))

    def _find_votes(self, item: Item, text: str, excluding: Collection[Rater]) -> Votes:
        # More of each, for what is left out.
        near = self._neighbours.find_nearest(text, NEAREST_NEIGHBOURS + 1 + len(excluding))
        trusted = [
            (similarity, self._items[place].target)
            for similarity, place in near.single
            if self._items[place] is not item
        ]
        rater_groups = [
            (similarity, self._items[place].target)
            for similarity, place in near.grouped
            if self._rater_group[place] not in excluding
        ]
        counted = self._with_enough_rater_groups(rater_groups[:NEAREST_NEIGHBOURS])
        return Votes(trusted[:NEAREST_NEIGHBOURS], counted)

    def _combine(self, item: Item, votes: Votes) -> Consensus | None:
        provided = _strongest_target(votes.trusted, item.target)
        typical = self._typical_provided
        is_known = item.target in self.known_targets and typical is not None
        if is_known and provided and provided.similarity >= (typical or 0.0):
            return replace(provided, is_typical=True)
        near = _strongest_target([*votes.trusted, *votes.rater_groups], item.target)
        if near is None or provided is None:
            return near
        return replace(near, provided_target=provided.target)

    def _own_rater_group(self, item: Item) -> frozenset[Rater]:
        """An item is no evidence for itself, nor is what else its rater says."""
        return frozenset(
            {self._rater_groups.rater_group_of(rater_of(item))} if is_feedback(item) else ()
        )

    def _with_enough_rater_groups(
        self, votes: Sequence[tuple[float, str]]
    ) -> list[tuple[float, str]]:
        """Independent raters count where enough of them say the same: a few may be one person."""
        rater_groups_per_target = Counter(target for _, target in votes)
        return [
            vote for vote in votes if rater_groups_per_target[vote[1]] >= self._independent_raters
        ]

    def _check_trusted(self, trusted: Sequence[Item], seed: int) -> list[CheckedItem]:
        sampled = sorted(trusted, key=lambda i: seeded_hash(seed, "check", i.key, i.target))
        votes = [(i, self._find_votes(i, i.key, ())) for i in sampled[:MAXIMUM_CHECKED]]
        self._typical_provided = _typical_similarity(
            [(item, _strongest_target(near.trusted, item.target)) for item, near in votes]
        )
        return [(item, self._combine(item, near)) for item, near in votes]

    def _classify(self, item: Item, near: Consensus | None) -> Opinion:
        typical = self._typical_similarity
        if near is None or typical is None:
            return Opinion(Consistency.UNKNOWN, is_alone=typical is not None)
        other = near.provided_target or near.target
        other = other if other != item.target else ""
        if near.target == item.target:
            return Opinion(Consistency.AGREES, other)
        is_close = near.is_typical or near.similarity >= typical
        return Opinion(Consistency.CONTRADICTED if is_close else Consistency.UNKNOWN, other)


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
