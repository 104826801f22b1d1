"""Whether new data is distributed like what the deployed version learnt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from archon_contracts.formats import DataDrift
from services.data_prep.domain import Item
from services.data_prep.seeded_hash import seeded_hash

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

SAMPLE: Final = 300
PERMUTATIONS: Final = 200
LENGTH_BINS: Final = 10
MINIMUM_ITEMS: Final = 10
ROUNDING: Final = 1e-9
SMOOTHING: Final = 0.5
"""Added to each count, so that an empty cell is no infinite difference."""


def measure_drift(new: Sequence[Item], remembered: Sequence[Item]) -> DataDrift | None:
    """Drift of targets, lengths and texts; None where a side has too few items."""
    if min(len(new), len(remembered)) < MINIMUM_ITEMS:
        return None
    first, second = _sample(new), _sample(remembered)
    discrepancy, p_value = measure_discrepancy(
        [item.key for item in first], [item.key for item in second]
    )
    return DataDrift(
        remembered=len(remembered),
        target_stability=round(
            compute_stability([i.target for i in new], [i.target for i in remembered]), 4
        ),
        length_stability=round(_compare_lengths(new, remembered), 4),
        discrepancy=round(discrepancy, 6),
        p_value=round(p_value, 4),
        sample=min(len(first), len(second)),
    )


def compute_stability(new: Sequence[str], known: Sequence[str]) -> float:
    """Population stability index of two samples of categories: 0 is the same distribution.

    The sum over categories of (p - q) ln(p / q), of smoothed proportions. Source: N. Siddiqi,
    "Credit Risk Scorecards" (2006), where above 0.1 is a small and above 0.25 a large shift.
    """
    import numpy

    found, expected = Counter(new), Counter(known)
    names = sorted(found.keys() | expected.keys())
    p = numpy.array([found[name] for name in names], dtype=float) + SMOOTHING
    q = numpy.array([expected[name] for name in names], dtype=float) + SMOOTHING
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * numpy.log(p / q)).sum())


def _compare_lengths(new: Sequence[Item], known: Sequence[Item]) -> float:
    """Stability of the inputs' lengths in the deciles of the known ones."""
    import numpy

    lengths = numpy.array([len(item.input) for item in known])
    edges = numpy.unique(numpy.quantile(lengths, numpy.arange(1, LENGTH_BINS) / LENGTH_BINS))

    def bins(items: Sequence[Item]) -> list[str]:
        return [str(place) for place in numpy.searchsorted(edges, [len(i.input) for i in items])]

    return compute_stability(bins(new), bins(known))


def measure_discrepancy(first: Sequence[str], second: Sequence[str]) -> tuple[float, float]:
    """Unbiased squared maximum mean discrepancy of the texts' TF-IDF vectors, and its p-value.

    A Gaussian kernel whose width is the median distance; the p-value is by permutation of the
    sides, (1 + as large ones) / (1 + permutations). Source: A. Gretton et al., "A kernel two-sample
    test" (2012), equation 3 and section 2.4.
    """
    import numpy

    kernel = _compute_kernel([*first, *second])
    sides = numpy.zeros(len(kernel))
    sides[: len(first)] = 1
    observed = _discrepancy(kernel, sides)
    # A generator of fixed seed: equal texts give an equal p-value.
    generator = numpy.random.default_rng(0)
    permuted = [_discrepancy(kernel, generator.permutation(sides)) for _ in range(PERMUTATIONS)]
    # Equal texts give equal values but for rounding, which must not look like evidence.
    larger = sum(value >= observed - ROUNDING for value in permuted)
    return observed, (1 + larger) / (1 + PERMUTATIONS)


def _discrepancy(kernel: NDArray[float64], one: NDArray[float64]) -> float:
    """The estimate where `one` is 1 for the texts of the first side and 0 for the others."""
    two = 1 - one
    m, n = one.sum(), two.sum()
    within = (one @ kernel @ one) / (m * (m - 1)) + (two @ kernel @ two) / (n * (n - 1))
    return float(within - 2 * (one @ kernel @ two) / (m * n))


def _compute_kernel(texts: Sequence[str]) -> NDArray[float64]:
    """The Gaussian kernel of all pairs, with a diagonal of zeros: no text is its own evidence."""
    import numpy
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit_transform(texts)
    # Of unit vectors: the squared distance is 2 - 2 cos.
    distances = numpy.clip(2 - 2 * (vectors @ vectors.T).toarray(), 0, None)
    width = numpy.median(distances[numpy.triu_indices(len(texts), 1)]) or 1.0
    kernel = numpy.exp(-distances / width)
    numpy.fill_diagonal(kernel, 0)
    found: NDArray[float64] = kernel
    return found


def _sample(items: Sequence[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (seeded_hash(0, "drift", item.key), item.key))[:SAMPLE]
