"""Figures with their 95 % intervals, from values of items; None among them is an unscored item.

scipy and numpy are imported inside functions: services name metrics, and only children compute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from archon_contracts.formats import CaseResult
from archon_contracts.values import Estimate
from services.evaluator.metrics.metric import Measurement

if TYPE_CHECKING:
    import numpy as np

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 1_999
"""Of a bootstrap: enough that the ends of a 95 % interval move by less than its width's 5 %."""
JACKKNIFE_LIMIT: Final = 1_000
"""The acceleration of BCa leaves out each value once, which takes the square of their number; with
more values the percentiles, which it corrects by less and less, are the interval."""
LARGE_SAMPLE: Final = 500
"""From here on the interval of a mean is that of the t distribution: the bootstrap gives the same,
and takes seconds for ten thousand items."""
SEED: Final = 20_260_101
"""Equal evidence gives equal figures."""


def proportion(
    cases: Sequence[CaseResult], score: Callable[[CaseResult], bool | None], nothing: str
) -> Measurement:
    """Proportion of the scored cases for which `score` holds, with Wilson's interval.

    `nothing` says why there is no figure where no case is scored.
    """
    from services.evaluator.comparison.estimates import estimate_proportion

    scores = [score(case) for case in cases]
    scored = [each for each in scores if each is not None]
    unscored = len(scores) - len(scored)
    if not scored:
        return Measurement(None, unscored, nothing)
    return Measurement(estimate_proportion(sum(scored), len(scored)), unscored)


def mean(
    cases: Sequence[CaseResult],
    value: Callable[[CaseResult], float | None],
    nothing: str,
    *,
    bounds: tuple[float, float] | None = None,
) -> Measurement:
    """Mean of the cases' values.

    The interval is the bootstrap's (BCa), from `LARGE_SAMPLE` values on that of the t distribution.
    Where all values are equal neither exists: within `bounds` it is then `bounded_mean`'s.
    """
    values = [value(case) for case in cases]
    scored = [each for each in values if each is not None]
    unscored = len(values) - len(scored)
    if not scored:
        return Measurement(None, unscored, nothing)
    if len(set(scored)) == 1:
        return _mean_of_equal(scored[0], len(scored), unscored, bounds)
    low, high = _mean_interval(scored)
    if bounds is not None:
        low, high = max(bounds[0], low), min(bounds[1], high)
    middle = math.fsum(scored) / len(scored)
    estimate = Estimate(value=middle, low=min(low, middle), high=max(high, middle), n=len(scored))
    return Measurement(estimate, unscored)


def _mean_of_equal(
    value: float, n: int, unscored: int, bounds: tuple[float, float] | None
) -> Measurement:
    if bounds is not None:
        return Measurement(bounded_mean(value * n, n, bounds), unscored)
    if n == 1:
        return Measurement(None, unscored, "one value alone has no interval")
    return Measurement(Estimate(value=value, low=value, high=value, n=n), unscored)


def _mean_interval(values: Sequence[float]) -> tuple[float, float]:
    import numpy as np
    from scipy import stats

    sample = np.asarray(values, dtype=float)
    if len(values) >= LARGE_SAMPLE:
        low, high = stats.t.interval(
            CONFIDENCE, len(values) - 1, loc=sample.mean(), scale=stats.sem(sample)
        )
        return float(low), float(high)
    return bootstrap((sample,), np.mean)


def bounded_mean(total: float, n: int, bounds: tuple[float, float]) -> Estimate:
    """Mean of `n` values between bounds, of which only the sum is known; conservative.

    No distribution on an interval has a larger variance than the one on its two ends with the same
    mean (Bhatia and Davis 2000, American Mathematical Monthly 107, 353-357): Wilson's interval for
    that one covers all others.
    """
    from services.evaluator.comparison.estimates import compute_wilson_interval

    low, high = bounds
    place = min(1.0, max(0.0, (total / n - low) / (high - low)))
    least, most = compute_wilson_interval(place, n)
    width = high - low
    return Estimate(
        value=low + place * width, low=low + least * width, high=low + most * width, n=n
    )


def quantile(values: Iterable[float | None], probability: float, nothing: str) -> Measurement:
    """A quantile with its interval between order statistics, free of distribution.

    The interval is of `scipy.stats.quantile_test` (Conover 1999, section 3.2). With too few values
    for an end of it, that end is the smallest or largest value seen.
    """
    import numpy as np
    from scipy import stats

    listed = list(values)
    scored = sorted(each for each in listed if each is not None)
    unscored = len(listed) - len(scored)
    if not scored:
        return Measurement(None, unscored, nothing)
    value = float(np.quantile(scored, probability))
    if len(scored) == 1:
        return Measurement(Estimate(value=value, low=value, high=value, n=1), unscored)
    interval = stats.quantile_test(scored, q=value, p=probability).confidence_interval(CONFIDENCE)
    low = scored[0] if math.isnan(interval.low) else float(interval.low)
    high = scored[-1] if math.isnan(interval.high) else float(interval.high)
    estimate = Estimate(value=value, low=min(low, value), high=max(high, value), n=len(scored))
    return Measurement(estimate, unscored)


def rate(events: int, seconds: float) -> Estimate:
    """Events per second with the exact interval of a Poisson rate.

    Source: Garwood 1936, Biometrika 28, 437-442, by quantiles of the chi-squared distribution.
    """
    from scipy import stats

    tail = (1 - CONFIDENCE) / 2
    low = float(stats.chi2.ppf(tail, 2 * events)) / 2 if events else 0.0
    high = float(stats.chi2.ppf(1 - tail, 2 * events + 2)) / 2
    return Estimate(
        value=events / seconds, low=low / seconds, high=high / seconds, n=max(events, 1)
    )


def bootstrap(
    samples: tuple[np.ndarray[Any, Any], ...],
    statistic: Callable[..., Any],
    *,
    paired: bool = False,
) -> tuple[float, float]:
    """The BCa bootstrap interval of `scipy.stats.bootstrap` (Efron 1987, JASA 82, 171-185).

    `statistic` takes an `axis`. Where the acceleration does not exist, or with more than
    `JACKKNIFE_LIMIT` values, the interval is the percentiles'.
    """
    import warnings

    import numpy as np
    from scipy import stats

    def interval(method: str) -> tuple[float, float]:
        found = stats.bootstrap(
            samples,
            statistic,
            paired=paired,
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=max(1, 4_000_000 // max(len(each) for each in samples)),
            confidence_level=CONFIDENCE,
            method=method,
            rng=np.random.default_rng(SEED),
        ).confidence_interval
        return float(found.low), float(found.high)

    with warnings.catch_warnings():
        # Of a sample whose resamples are all equal; the percentiles follow.
        warnings.simplefilter("ignore")
        large = max(len(each) for each in samples) > JACKKNIFE_LIMIT
        low, high = interval("percentile" if large else "BCa")
        if math.isnan(low) or math.isnan(high):
            low, high = interval("percentile")
    return low, high
