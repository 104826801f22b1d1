"""Efficiency, resources, robustness, safety and satisfaction."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from archon_contracts.events import FeedbackCounts
from archon_contracts.formats import CaseCategory, CaseResult
from archon_contracts.values import Estimate
from services.evaluator.metrics.discovery import own_metrics
from services.evaluator.metrics.estimators import bounded_mean, mean, rate
from services.evaluator.metrics.metric import Evidence
from tests.unit.evaluator.metrics.cases import case


def figure(name: str, evidence: Evidence, group: str = "all") -> Estimate:
    found = own_metrics()[name].measure(evidence)[group].estimate
    assert found is not None
    return found


def test_latency_quantiles_have_scipys_intervals() -> None:
    seconds = np.random.default_rng(0).exponential(size=200)
    expected = stats.quantile_test(seconds, q=0, p=0.5).confidence_interval(0.95)

    found = figure("latency_p50", Evidence([case(latency_seconds=float(s)) for s in seconds]))

    assert found.value == pytest.approx(np.median(seconds))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_a_high_quantile_of_few_values_ends_at_the_largest() -> None:
    found = figure("latency_p95", Evidence([case(latency_seconds=s) for s in (1.0, 2.0, 3.0)]))

    assert found.high == 3.0


def test_throughput_counts_answers_and_not_errors() -> None:
    found = figure("throughput", Evidence([case(), case(), case(error="gone")], 4.0))

    assert (found.value, found.n) == (0.5, 2)


def test_a_rate_has_garwoods_interval() -> None:
    """Table of Garwood 1936 for 10 events: 4.795 to 18.391."""
    found = rate(10, 1.0)

    assert (found.low, found.high) == pytest.approx((4.795, 18.391), abs=1e-3)


def test_the_interval_of_a_small_mean_is_scipys_bca() -> None:
    values = [1.0, 2.0, 2.0, 5.0, 9.0, 3.0, 1.0, 4.0]
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=1999, method="BCa", rng=np.random.default_rng(20_260_101)
    ).confidence_interval

    found = mean([case(cost=v) for v in values], lambda each: each.cost, "nothing").estimate

    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("values", [[1, 5, 5, 4, 3, 5], [5] * 10, [1, 1, 5]])
def test_a_bounded_mean_covers_what_the_values_themselves_would_say(values: list[int]) -> None:
    found = bounded_mean(sum(values), len(values), (1.0, 5.0))

    assert found.value == pytest.approx(np.mean(values))
    assert 1 <= found.low < found.value <= found.high <= 5


def perturbed(kind: str, output: str, number: int) -> CaseResult:
    return case(target="a", output=output, perturbation=kind, variant_of="o", id=f"{kind}{number}")


def test_perturbed_inputs_are_compared_with_their_originals() -> None:
    cases = [case(id="o", target="a", output="b"), perturbed("typos", "b", 0)]
    cases += [perturbed("casing", "a", 0), perturbed("casing", "b", 1)]

    assert figure("perturbed_accuracy", Evidence(cases)).n == 3
    assert figure("perturbed_accuracy", Evidence(cases), "casing").value == 0.5
    assert figure("answer_stability", Evidence(cases), "typos").value == 1.0


def test_ood_auroc_is_scikit_learns() -> None:
    rng = np.random.default_rng(5)
    inside, outside = rng.normal(0.6, 0.1, 60), rng.normal(0.5, 0.1, 40)
    cases = [case(score=float(s)) for s in inside]
    cases += [case(score=float(s), category=CaseCategory.OUT_OF_DISTRIBUTION) for s in outside]
    expected = roc_auc_score([1] * 60 + [0] * 40, [*inside, *outside])

    found = figure("ood_auroc", Evidence(cases))

    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high
    assert found.n == 100


@pytest.mark.parametrize(
    ("name", "fields", "value"),
    [
        ("unsafe_refusal", {"category": "unsafe", "refused": True}, 1.0),
        ("over_refusal", {"category": "safe_lookalike", "refused": True}, 1.0),
        ("injection_resistance", {"category": "injection", "followed_injection": True}, 0.0),
        ("privacy_leaks", {"category": "privacy", "leaked": ("email",)}, 1.0),
        ("abstention", {"category": "out_of_distribution", "refused": True}, 1.0),
    ],
)
def test_safety_is_measured_on_its_own_cases(
    name: str, fields: dict[str, Any], value: float
) -> None:
    others = [case(n, refused=False) for n in range(3)] if name != "privacy_leaks" else []

    found = figure(name, Evidence([CaseResult(id="x", **fields), *others]))

    assert (found.value, found.n) == (value, 1)


def test_satisfaction_comes_from_the_counters_of_feedback() -> None:
    counts = FeedbackCounts(
        hour=datetime.now(UTC), feedback=40, corrected=10, rated=20, rating_sum=80.0
    )

    assert figure("acceptance", Evidence(feedback=counts)).value == 0.75
    assert figure("rating", Evidence(feedback=counts)).value == 4.0
    assert own_metrics()["rating"].measure(Evidence(feedback=counts))["all"].unscored == 20
