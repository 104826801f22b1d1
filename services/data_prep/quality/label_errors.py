"""Targets that may be wrong: a cross-validated rank of the items for review. It deletes nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from services.data_prep.quality.word_vectors import vectorise_words
from services.data_prep.seeded_hash import seeded_hash

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

PARTS: Final = 5
MINIMUM_ITEMS: Final = 20
"""With fewer, a class's mean is made of two or three texts and says nothing of a fourth."""
NULL_QUANTILES: Final = (0.3, 0.5, 0.7)
"""Where the two distributions of margins are compared; the median of the three estimates counts.
Low, so that few right targets lie there, and not so low that a dozen wrong ones may all miss it."""
DENSE: Final = 20_000_000
"""Numbers of all classes' means up to which their zeros are stored too: faster, 160 MB."""
DECIMALS: Final = 6
"""Sums of floats differ in their last digits between machines; a rank must not."""


@dataclass(frozen=True, slots=True)
class LabelRank:
    """What the ranking says of every item, in the order of the items.

    `margins` are similarities to the own target's items less those to the nearest other target's,
    from -1 to 1: the lower, the more suspect. `proportion` is the estimated part of wrong targets.
    """

    margins: tuple[float, ...]
    suggested: tuple[str, ...]
    proportion: float

    @property
    def suspects(self) -> list[int]:
        """Positions of the items that are suspected, the most suspect first.

        As many as the estimate says, and none that its own target's items are the nearest to.
        """
        order = sorted(range(len(self.margins)), key=lambda at: (self.margins[at], at))
        count = round(self.proportion * len(order))
        return [at for at in order[:count] if self.margins[at] < 0]


def rank_label_errors(keys: Sequence[str], targets: Sequence[str]) -> LabelRank | None:
    """Rank items by how far the others' texts contradict their target; None: there are too few.

    An item is compared with the mean TF-IDF vector of each target over the other four fifths
    (J. Rocchio, "Relevance feedback in information retrieval", 1971); the normalised margin is the
    rank that C. Northcutt, L. Jiang, I. Chuang, "Confident learning", 2021, section 3, uses. The
    proportion of wrong targets is that of margins which a random wrong target would have as well
    (the estimate of J. Storey, "A direct approach to false discovery rates", 2002).

    Targets with a single item are not ranked: nothing else says what they mean.
    """
    frequency = Counter(targets)
    known = sorted(target for target, count in frequency.items() if count > 1)
    rows = [at for at, target in enumerate(targets) if frequency[target] > 1]
    if len(known) < 2 or len(rows) < MINIMUM_ITEMS:
        return None
    import numpy

    number = {target: place for place, target in enumerate(known)}
    given = numpy.array([number[targets[at]] for at in rows])
    margins, other, null = _measure_margins([keys[at] for at in rows], given, len(known))
    estimates = [
        float((margins <= numpy.quantile(null, quantile)).mean()) / quantile
        for quantile in NULL_QUANTILES
    ]
    proportion = min(1.0, median(estimates))
    found = numpy.ones(len(targets))
    found[rows] = margins
    suggested = list(targets)
    for at, best in zip(rows, other.tolist(), strict=True):
        suggested[at] = known[best]
    return LabelRank(tuple(found.round(DECIMALS).tolist()), tuple(suggested), round(proportion, 4))


def _measure_margins(
    texts: Sequence[str], given: NDArray[int64], classes: int
) -> tuple[NDArray[float64], NDArray[int64], NDArray[float64]]:
    """Margin of each text's own target, its best other target, and the margin of a random wrong
    target."""
    import numpy
    from sklearn.preprocessing import normalize

    # Words and grams within words: on the validation part of a public set of 150 intents as good as
    # five times as many kinds of n-grams.
    vectors = vectorise_words(texts)
    sums = _add_up(vectors, given, classes)
    parts = numpy.array([seeded_hash(0, "part", text) % PARTS for text in texts])
    margins, null = numpy.empty(len(texts)), numpy.empty(len(texts))
    other = numpy.empty(len(texts), dtype=numpy.int64)
    for part in range(PARTS):
        rows = numpy.flatnonzero(parts == part)
        if not len(rows):
            continue
        outside = sums - _add_up(vectors[rows], given[rows], classes)
        near = _multiply(vectors[rows], normalize(outside))
        margins[rows], other[rows] = _compare(near, given[rows])
        # Seeded by the text, as everything here: no state, whatever the order of the items.
        shift = [seeded_hash(0, "wrong", texts[row]) % (classes - 1) + 1 for row in rows.tolist()]
        null[rows], _ = _compare(near, (given[rows] + shift) % classes)
    return margins, other, null


def _multiply(vectors: Any, means: Any) -> NDArray[float64]:
    """The similarity of each text to each class."""
    product = vectors @ (means.toarray().T if math.prod(means.shape) <= DENSE else means.T)
    found: NDArray[float64] = product if math.prod(means.shape) <= DENSE else product.toarray()
    return found


def _add_up(vectors: Any, given: NDArray[int64], classes: int) -> Any:
    """Sum of the vectors of each class, a row per class."""
    import numpy
    from scipy.sparse import csr_matrix

    count = len(given)
    ones = (numpy.ones(count), (given, numpy.arange(count)))
    return csr_matrix(ones, shape=(classes, count)) @ vectors


def _compare(
    near: NDArray[float64], given: NDArray[int64]
) -> tuple[NDArray[float64], NDArray[int64]]:
    """Similarity to the given class less that to the best other one, and which that is."""
    import numpy

    rows = numpy.arange(len(given))
    own = near[rows, given]
    others = near.copy()
    others[rows, given] = -numpy.inf
    best = others.argmax(axis=1)
    return own - others[rows, best], best
