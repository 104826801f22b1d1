"""Which texts are close to a text: the weighted character n-grams that they share."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from services.data_prep.near_duplicates import shingles

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

FARTHEST = 0.1
"""Texts less alike than this have nothing to say about each other."""

COMMON = 8
"""A gram that more than one text in so many holds is kept as a row over all of them: adding to
places of an array costs ten times as much a place as adding a whole row."""

MORE = 16

FIRST = 64
"""Texts that are put in order first; few questions need more."""


class Neighbours:
    """Texts as sets of character 4-grams, each gram weighted by its inverse document frequency.

    Closeness is the cosine of two such vectors. Measured on CLINC150 with 15 texts per intent, the
    ten nearest name the right one of 38 intents in nine of ten cases, without a model.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        # A tenth of a second and 30 MB, which only feedback with units is worth.
        import numpy

        self._numpy = numpy
        holders: defaultdict[str, list[int]] = defaultdict(list)
        grams = [sorted(shingles(text)) for text in texts]
        for place, found in enumerate(grams):
            for gram in found:
                holders[gram].append(place)
        self._count = len(texts)
        self._squares = {gram: self._square(len(places)) for gram, places in holders.items()}
        self._holders: dict[str, NDArray[int64]] = {}
        self._rows: dict[str, NDArray[float64]] = {}
        for gram, places in holders.items():
            if len(places) * COMMON <= self._count:
                self._holders[gram] = numpy.array(places)
            else:
                self._rows[gram] = numpy.zeros(self._count)
                self._rows[gram][places] = self._squares[gram]
        self._lengths = numpy.array([self._length(found) for found in grams])

    def of(self, text: str) -> Iterator[tuple[float, int]]:
        """Closeness and position of the texts that are near enough, nearest first."""
        numpy = self._numpy
        # Rounded, so that equal texts are equally close whatever else is beside them.
        near = self._closeness(sorted(shingles(text))).round(9)
        places, most = numpy.flatnonzero(near >= FARTHEST), FIRST
        while len(places):
            close = near[places]
            least = numpy.partition(close, -most)[-most] if len(places) > most else FARTHEST
            first = places[close >= least]
            order = numpy.lexsort((first, -near[first]))
            yield from zip(near[first][order].tolist(), first[order].tolist(), strict=True)
            places, most = places[close < least], most * MORE

    def _closeness(self, grams: Sequence[str]) -> NDArray[float64]:
        shared = self._numpy.zeros(self._count)
        for gram in grams:
            if gram in self._holders:
                shared[self._holders[gram]] += self._squares[gram]
            elif gram in self._rows:
                shared += self._rows[gram]
        closeness: NDArray[float64] = shared / (self._lengths * self._length(grams))
        return closeness

    def _length(self, grams: Sequence[str]) -> float:
        unseen = self._square(1)
        return math.sqrt(sum(self._squares.get(gram, unseen) for gram in grams))

    def _square(self, holders: int) -> float:
        return math.log(1 + self._count / holders) ** 2
