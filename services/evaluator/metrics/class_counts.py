"""Precision, recall and F1 from counts per class: scikit-learn's figures, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from archon_contracts.formats import CaseResult
from archon_contracts.values import ALL_ITEMS, Estimate
from services.evaluator.metrics.estimators import SEED
from services.evaluator.metrics.metric import Evidence, Measure, Measurement

if TYPE_CHECKING:
    import numpy as np

    Counts = np.ndarray[Any, Any]

CLASS_RESAMPLES: Final = 999
NO_TARGET: Final = "no item has a right answer"

Figure = Callable[["Counts", "Counts", "Counts"], "Counts"]
"""From right answers, answers given and items of each class to a figure of each class."""


def precision(right: Counts, answered: Counts, _asked: Counts) -> Counts:
    """Right answers among those given of a class; 0 where none was, as in scikit-learn."""
    return _divide(right, answered)


def recall(right: Counts, _answered: Counts, asked: Counts) -> Counts:
    """Right answers among the items of a class; 0 where it has none."""
    return _divide(right, asked)


def f1(right: Counts, answered: Counts, asked: Counts) -> Counts:
    """Harmonic mean of precision and recall of a class."""
    return _divide(2 * right, answered + asked)


def per_class(figure: Figure) -> Measure:
    """A figure of each class that is a right answer; its group is the class."""

    def measure(evidence: Evidence) -> Mapping[str, Measurement]:
        import numpy as np

        scored, unscored = select_scored(evidence.cases)
        if not scored:
            return {ALL_ITEMS: Measurement(None, unscored, NO_TARGET)}
        table = ClassTable(scored)
        values, resampled = figure(*table.counts()), figure(*table.resample())
        low, high = np.quantile(resampled, (0.025, 0.975), axis=0)
        return {
            name: Measurement(
                _estimate(values[place], low[place], high[place], int(table.asked[place]))
            )
            for name, place in table.places.items()
            if table.asked[place]
        }

    return measure


def macro(figure: Figure) -> Callable[[Sequence[CaseResult]], Measurement]:
    """The mean of a figure over all classes that are asked or answered, as in scikit-learn."""

    def measure(cases: Sequence[CaseResult]) -> Measurement:
        import numpy as np

        scored, unscored = select_scored(cases)
        if not scored:
            return Measurement(None, unscored, NO_TARGET)
        table = ClassTable(scored)
        value = float(figure(*table.counts()).mean())
        right, answered, asked = table.resample()
        # Of a resample without an item of a class, the class is not in its mean either.
        there = (answered + asked) > 0
        means = np.where(there, figure(right, answered, asked), 0).sum(axis=1) / there.sum(axis=1)
        low, high = np.quantile(means, (0.025, 0.975))
        return Measurement(_estimate(value, low, high, len(scored)), unscored)

    return measure


def select_scored(cases: Sequence[CaseResult]) -> tuple[list[CaseResult], int]:
    """Cases that have a right answer and were answered, and how many are not such."""
    scored = [case for case in cases if case.target and not case.error]
    return scored, len(cases) - len(scored)


class ClassTable:
    """How often each answer was given for each right answer."""

    def __init__(self, cases: Sequence[CaseResult]) -> None:
        import numpy as np

        names = sorted({case.target for case in cases} | {case.output for case in cases})
        self.places = {name: place for place, name in enumerate(names)}
        pairs = [(self.places[case.target], self.places[case.output]) for case in cases]
        self._cells, self._sizes = np.unique(np.asarray(pairs), axis=0, return_counts=True)
        self._n = len(cases)
        self.asked = self.counts()[2]

    def counts(self) -> tuple[Counts, Counts, Counts]:
        """Right answers, answers given and items of each class."""
        right, answered, asked = self._sum(self._sizes[None, :])
        return right[0], answered[0], asked[0]

    def resample(self) -> tuple[Counts, Counts, Counts]:
        """The same of `CLASS_RESAMPLES` bootstrap samples of the items, one a row."""
        import numpy as np

        sizes = np.random.default_rng(SEED).multinomial(
            self._n, self._sizes / self._n, size=CLASS_RESAMPLES
        )
        return self._sum(sizes)

    def _sum(self, sizes: Counts) -> tuple[Counts, Counts, Counts]:
        """Counts per class (columns) of samples (rows) with these sizes of the cells."""
        import numpy as np

        classes = np.arange(len(self.places))
        of_target = (self._cells[:, :1] == classes).astype(float)
        of_output = (self._cells[:, 1:] == classes).astype(float)
        return sizes @ (of_target * of_output), sizes @ of_output, sizes @ of_target


def _divide(above: Counts, below: Counts) -> Counts:
    import numpy as np

    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _estimate(value: float, low: float, high: float, n: int) -> Estimate:
    # The percentiles of skewed resamples may pass the figure itself.
    return Estimate(
        value=float(value), low=float(min(low, value)), high=float(max(high, value)), n=n
    )
