"""Drift tests equal what scipy and scikit-learn say of the same rows."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics.pairwise import rbf_kernel

from services.evaluator.log_analysis.clusters import Vectors
from services.evaluator.log_analysis.drift import (
    compare_by_classifier,
    compare_means,
    find_farthest,
    has_drifted,
)


def rows(number: int, shift: float, seed: int) -> Vectors:
    found: Vectors = np.random.default_rng(seed).normal(shift, 1, (number, 6)).astype(np.float32)
    return found


def test_the_discrepancy_is_the_unbiased_estimate_of_the_paper() -> None:
    first, second = rows(30, 0, 1), rows(40, 0.3, 2)
    found = compare_means(first, second)
    gamma = 1 / (2 * found.bandwidth**2)
    a, b = first.astype(np.float64), second.astype(np.float64)
    same, other, across = rbf_kernel(a, gamma=gamma), rbf_kernel(b, gamma=gamma), rbf_kernel(a, b, gamma=gamma)  # fmt: skip  # noqa: E501

    expected = (same.sum() - 30) / (30 * 29) + (other.sum() - 40) / (40 * 39) - 2 * across.mean()

    assert found.squared == pytest.approx(expected, abs=1e-12)


def test_samples_of_one_distribution_have_not_drifted_and_others_have() -> None:
    reference = rows(100, 0, 3)
    same, other = rows(120, 0, 4), rows(120, 0.8, 5)

    quiet = compare_means(reference, same), compare_by_classifier(reference, same)
    loud = compare_means(reference, other), compare_by_classifier(reference, other)

    assert not has_drifted(*quiet)
    assert has_drifted(*loud)
    assert loud[0].p_value == pytest.approx(1 / 500)


def test_p_values_without_drift_are_no_smaller_than_they_should_be() -> None:
    found = [compare_means(rows(20, 0, n), rows(20, 0, 1_000 + n)).p_value for n in range(40)]

    assert sum(p <= 0.05 for p in found) <= 6


def test_the_classifier_test_counts_held_out_rows() -> None:
    found = compare_by_classifier(rows(60, 0, 6), rows(90, 1.0, 7))

    assert found.held_out == 60
    right = round(found.accuracy * 60)
    assert found.p_value == binomtest(right, 60, 0.5, alternative="greater").pvalue
    assert found.auroc > 0.8


def test_equal_rows_have_no_bandwidth_and_no_drift() -> None:
    same = np.ones((60, 4), dtype=np.float32)

    found = compare_means(same, same)

    assert (found.squared, found.p_value) == (0.0, 1.0)


def test_the_farthest_request_is_the_one_without_a_near_training_text() -> None:
    reference = np.eye(3, dtype=np.float32)[:2]
    current = np.array([[1, 0, 0], [0, 0, 1], [0, 2, 0.5]], dtype=np.float32)

    assert find_farthest(reference, current, 2) == [1, 2]
