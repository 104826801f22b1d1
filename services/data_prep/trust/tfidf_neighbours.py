"""Which texts are close to a text: the weighted character n-grams that they share."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.data_prep.dedup.near_duplicates import shingles

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

MINIMUM_SIMILARITY = 0.1
"""Texts less alike than this have nothing to say about each other."""

DENSE_ROW_DIVISOR = 8
"""A gram that more than one text in so many holds is kept as a row over all of them: adding to
places of an array costs ten times as much a place as adding a whole row."""


@dataclass(frozen=True, slots=True)
class NeighbourMatches:
    """Similarity and position of texts that are near enough, nearest first."""

    single: list[tuple[float, int]]
    grouped: list[tuple[float, int]]


class TfidfNeighbours:
    """Texts as sets of character 4-grams, each gram weighted by its inverse document frequency.

    Similarity is the cosine of two such vectors. Texts from the first of `groups` on are in groups,
    which begin at those positions: of each only the nearest is found, so that a group of very many
    texts costs no more than another.
    """

    def __init__(self, texts: Sequence[str], groups: Sequence[int] = ()) -> None:
        # A tenth of a second and 30 MB, which only feedback with units is worth.
        import numpy

        self._numpy = numpy
        self._groups = list(groups)
        self._ends = [*self._groups[1:], len(texts)]
        postings: defaultdict[str, list[int]] = defaultdict(list)
        grams = [sorted(shingles(text)) for text in texts]
        for place, found in enumerate(grams):
            for gram in found:
                postings[gram].append(place)
        self._text_count = len(texts)
        self._squared_idfs = {
            gram: self._squared_idf(len(places)) for gram, places in postings.items()
        }
        self._postings: dict[str, NDArray[int64]] = {}
        self._rows: dict[str, NDArray[float64]] = {}
        for gram, places in postings.items():
            if len(places) * DENSE_ROW_DIVISOR <= self._text_count:
                self._postings[gram] = numpy.array(places)
            else:
                self._rows[gram] = numpy.zeros(self._text_count)
                self._rows[gram][places] = self._squared_idfs[gram]
        self._norms = numpy.array([self._norm(found) for found in grams])

    def find_nearest(self, text: str, most: int) -> NeighbourMatches:
        """The nearest single texts, and the nearest text of each of the nearest groups."""
        numpy = self._numpy
        # Rounded, so that equal texts are equally close whatever else is beside them.
        near = self._similarity(sorted(shingles(text))).round(9)
        single = near[: self._groups[0]] if self._groups else near
        grouped: list[tuple[float, int]] = []
        if self._groups:
            best = numpy.maximum.reduceat(near, self._groups)
            for similarity, group in self._nearest(best, most):
                start, end = self._groups[group], self._ends[group]
                grouped.append((similarity, start + int(near[start:end].argmax())))
        return NeighbourMatches(self._nearest(single, most), grouped)

    def _nearest(self, near: NDArray[float64], most: int) -> list[tuple[float, int]]:
        numpy = self._numpy
        least = MINIMUM_SIMILARITY
        if len(near) > most:
            least = max(MINIMUM_SIMILARITY, numpy.partition(near, -most)[-most])
        places = numpy.flatnonzero(near >= least)
        order = numpy.lexsort((places, -near[places]))[:most]
        return list(zip(near[places][order].tolist(), places[order].tolist(), strict=True))

    def _similarity(self, grams: Sequence[str]) -> NDArray[float64]:
        shared = self._numpy.zeros(self._text_count)
        for gram in grams:
            if gram in self._postings:
                shared[self._postings[gram]] += self._squared_idfs[gram]
            elif gram in self._rows:
                shared += self._rows[gram]
        similarity: NDArray[float64] = shared / (self._norms * self._norm(grams))
        return similarity

    def _norm(self, grams: Sequence[str]) -> float:
        unseen = self._squared_idf(1)
        return math.sqrt(sum(self._squared_idfs.get(gram, unseen) for gram in grams))

    def _squared_idf(self, postings: int) -> float:
        return math.log(1 + self._text_count / postings) ** 2
