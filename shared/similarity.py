"""Which sets of a collection may be similar to another: an index that misses none."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Final, Generic, TypeVar

PERMUTATIONS: Final = 64
LSH_ERROR_WEIGHTS: Final = (0.1, 0.9)
"""Weights of false and missed candidates of MinHash, for collections too large for the prefix
index. Candidates are compared exactly afterwards: a false one costs time, a missed one is lost."""
TOLERANCE: Final = 1e-9
"""The product of two floats must not cost a member of a prefix."""

M = TypeVar("M", bound=Hashable)


class PrefixIndex(Generic[M]):
    """Positions of sets by the first of their members, in one fixed order of all members.

    Two sets whose Jaccard index reaches t share one of the first |s| - ceil(t |s|) + 1 members in
    any fixed order (R. J. Bayardo, Y. Ma, R. Srikant, "Scaling up all pairs similarity search",
    2007). Callers choose the order: the rarest member first keeps the lists short. The lists grow
    with the square of a collection that is built from few templates.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._size = 0
        self._postings: defaultdict[M, list[int]] = defaultdict(list)

    def candidates(self, members: Sequence[M]) -> Iterator[int]:
        """Positions of the added sets that may reach the limit; one may come several times."""
        for member in self._prefix(members):
            # Not `self._postings[member]`: asking must not grow the index.
            yield from self._postings.get(member, ())

    def add(self, members: Sequence[M]) -> None:
        """Take in a set; its position is the number of sets before it."""
        for member in self._prefix(members):
            self._postings[member].append(self._size)
        self._size += 1

    def _prefix(self, members: Sequence[M]) -> Sequence[M]:
        needed = math.ceil(self._limit * len(members) - TOLERANCE)
        return members[: len(members) - needed + 1]
