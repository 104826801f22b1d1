"""Which texts are close to a text: the TF-IDF weighted character n-grams that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.data_prep.dedup.gram_sets import shingles

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

MINIMUM_SIMILARITY = 0.1
"""Texts less similar than this are no neighbours."""


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
        # A second and 60 MB: imported by the fork server and its children only.
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._groups = list(groups)
        self._ends = [*self._groups[1:], len(texts)]
        self._is_empty = not texts
        if self._is_empty:  # scikit-learn refuses an empty vocabulary
            return
        self._vectorizer = TfidfVectorizer(analyzer=_analyze, norm="l2")
        self._rows = self._vectorizer.fit_transform(texts)
        self._row_of = {text: row for row, text in enumerate(texts)}
        # Transposed: one row per gram, so that a query adds up the rows of its own grams.
        self._vectors = self._rows.T.tocsr()

    def find_nearest(self, text: str, most: int) -> NeighbourMatches:
        """The nearest single texts, and the nearest text of each of the nearest groups."""
        if self._is_empty:
            return NeighbourMatches([], [])
        import numpy

        # Most queries are texts that were fitted. Transforming one takes some ms of checks in the
        # library, hundreds of them two seconds: more than all the rest of a fast-path update.
        row = self._row_of.get(text)
        query = self._vectorizer.transform([text]) if row is None else self._rows[row]
        # Rounded, so that equal texts are equally close whatever else is beside them.
        near = (query @ self._vectors).toarray()[0].round(9)
        single = near[: self._groups[0]] if self._groups else near
        grouped: list[tuple[float, int]] = []
        if self._groups:
            # One pass over all texts gives the nearest of each group.
            best = numpy.maximum.reduceat(near, self._groups)
            for similarity, group in _nearest(best, most):
                start, end = self._groups[group], self._ends[group]
                grouped.append((similarity, start + int(near[start:end].argmax())))
        return NeighbourMatches(_nearest(single, most), grouped)


def _analyze(text: str) -> list[str]:
    return sorted(shingles(text))


def _nearest(near: NDArray[float64], most: int) -> list[tuple[float, int]]:
    import numpy

    least = MINIMUM_SIMILARITY
    if len(near) > most:
        # Only what can be among the nearest is sorted: a window has thousands of texts.
        least = max(MINIMUM_SIMILARITY, numpy.partition(near, -most)[-most])
    places = numpy.flatnonzero(near >= least)
    order = numpy.lexsort((places, -near[places]))[:most]
    return list(zip(near[places][order].tolist(), places[order].tolist(), strict=True))
