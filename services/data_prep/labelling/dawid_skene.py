"""True labels and annotators' error rates from labels that disagree (Dawid and Skene, 1979)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

MAXIMUM_ROUNDS: Final = 100
TOLERANCE: Final = 1e-6
SMOOTHING: Final = 0.1
"""Added to each row of an annotator's confusion matrix, in equal parts: who never met a label may
still err. In each cell, many labels with few votes would weigh more than the votes."""
DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class LabelEstimate:
    """The most probable label of an item, and its probability."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class AnnotatorModel:
    """Estimates of the items in their order, and of each annotator the accuracy: how probably the
    annotator gives the true label, over labels as frequent as they are."""

    items: tuple[LabelEstimate, ...]
    accuracy: Mapping[str, float]


def fit_dawid_skene(items: Sequence[Mapping[str, str]]) -> AnnotatorModel:
    """Estimate labels by expectation maximisation; an item is annotator -> label.

    Source: A. P. Dawid, A. M. Skene, "Maximum likelihood estimation of observer error-rates using
    the EM algorithm" (1979), equations 2.3 to 2.5, started from the majority. Equal items give
    equal estimates, whatever their order; without any item there is nothing to estimate.
    """
    import numpy

    labels = sorted({label for item in items for label in item.values()})
    names = sorted({name for item in items for name in item})
    number = {label: place for place, label in enumerate(labels)}
    column = {name: place for place, name in enumerate(names)}
    votes = [
        (at, column[name], number[label])
        for at, item in enumerate(items)
        for name, label in item.items()
    ]
    if not votes:
        return AnnotatorModel((), {})
    rows, who, what = numpy.array(votes).T
    posterior = numpy.zeros((len(items), len(labels)))
    numpy.add.at(posterior, (rows, what), 1.0)
    posterior /= posterior.sum(axis=1, keepdims=True)
    confusion, prior = _maximise(posterior, rows, who, what, len(names))
    for _ in range(MAXIMUM_ROUNDS):
        previous, posterior = posterior, _expect(confusion, prior, rows, who, what, len(items))
        confusion, prior = _maximise(posterior, rows, who, what, len(names))
        if numpy.abs(posterior - previous).max() < TOLERANCE:
            break
    right = numpy.einsum("akk,k->a", confusion, prior)
    best = posterior.argmax(axis=1).tolist()
    return AnnotatorModel(
        tuple(
            LabelEstimate(labels[k], round(float(posterior[at, k]), DECIMALS))
            for at, k in enumerate(best)
        ),
        {name: round(float(right[place]), DECIMALS) for name, place in column.items()},
    )


def _maximise(
    posterior: NDArray[float64],
    rows: NDArray[int64],
    who: NDArray[int64],
    what: NDArray[int64],
    annotators: int,
) -> tuple[NDArray[float64], NDArray[float64]]:
    """Confusion matrices (annotator, true label, given label) and label frequencies."""
    import numpy

    classes = posterior.shape[1]
    counts = numpy.full((annotators, classes, classes), SMOOTHING / classes)
    # Transposed for one indexed sum: (annotator, given label) -> vector over true labels.
    by_answer = counts.transpose(0, 2, 1)
    numpy.add.at(by_answer, (who, what), posterior[rows])
    confusion = counts / counts.sum(axis=2, keepdims=True)
    prior: NDArray[float64] = posterior.mean(axis=0)
    return confusion, prior


def _expect(
    confusion: NDArray[float64],
    prior: NDArray[float64],
    rows: NDArray[int64],
    who: NDArray[int64],
    what: NDArray[int64],
    items: int,
) -> NDArray[float64]:
    """Probabilities of the true labels. In logarithms: a product of many votes would be zero."""
    import numpy

    logarithms = numpy.tile(numpy.log(prior + 1e-12), (items, 1))
    numpy.add.at(logarithms, rows, numpy.log(confusion[who, :, what]))
    logarithms -= logarithms.max(axis=1, keepdims=True)
    found: NDArray[float64] = numpy.exp(logarithms)
    found /= found.sum(axis=1, keepdims=True)
    return found
