"""How far annotators agree on labels that have an order, or a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from services.data_prep.cleaning.annotation import Agreement

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

Distance = Literal["nominal", "ordinal", "interval"]


def measure_agreement(units: Iterable[Sequence[float]], distance: Distance) -> Agreement:
    """Krippendorff's alpha of numbers, over items with two of them or more.

    One less observed over expected disagreement, both from the matrix of coincidences. Source: K.
    Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), sections C and E.
    """
    import numpy

    paired = [list(unit) for unit in units if len(unit) > 1]
    values = sorted({value for unit in paired for value in unit})
    number = {value: place for place, value in enumerate(values)}
    coincidences = numpy.zeros((len(values), len(values)))
    for unit in paired:
        counts = numpy.bincount([number[v] for v in unit], minlength=len(values)).astype(float)
        coincidences += (numpy.outer(counts, counts) - numpy.diag(counts)) / (len(unit) - 1)
    totals = coincidences.sum(axis=0)
    ratings = round(totals.sum())
    between = _distances(numpy.array(values, dtype=float), totals, distance)
    expected = (numpy.outer(totals, totals) - numpy.diag(totals)) * between
    if not expected.sum():
        return Agreement(None, len(paired), ratings)
    observed = (coincidences * between).sum() / totals.sum()
    alpha = 1 - observed * totals.sum() * (totals.sum() - 1) / expected.sum()
    return Agreement(float(alpha), len(paired), ratings)


def _distances(
    values: NDArray[float64], totals: NDArray[float64], distance: Distance
) -> NDArray[float64]:
    """Squared differences of each pair of values."""
    import numpy

    if distance == "nominal":
        return 1.0 - numpy.eye(len(values))
    # Ordinal: how many ratings lie between two values, half of the two values' own.
    places = values if distance == "interval" else numpy.cumsum(totals) - totals / 2
    squared: NDArray[float64] = numpy.subtract.outer(places, places) ** 2
    return squared


def compute_pairwise_kappa(items: Sequence[Mapping[str, str]]) -> float | None:
    """Mean of Cohen's kappa over all pairs of annotators, each weighted by the items that both
    labelled; None where no pair has a coefficient. An item is annotator -> label."""
    from sklearn.metrics import cohen_kappa_score

    names = sorted({name for item in items for name in item})
    total, weight = 0.0, 0
    for first, second in combinations(names, 2):
        shared = [(item[first], item[second]) for item in items if {first, second} <= item.keys()]
        if len({label for pair in shared for label in pair}) < 2:
            continue  # of a single label no coefficient separates agreement from chance
        left, right = zip(*shared, strict=True)
        total += len(shared) * float(cohen_kappa_score(left, right))
        weight += len(shared)
    return total / weight if weight else None
