"""The check of the traffic's division, against another implementation."""

import math

import numpy as np
import pytest
from ville import BernoulliTest

from services.registry.statistics.sample_ratio import log_mismatch, mismatch_p_value


def test_the_evidence_is_that_of_ville() -> None:
    """A beta mixture against one proportion is the test of `ville`, with the same prior."""
    rng = np.random.default_rng(2)
    treated = (rng.random(400) < 0.3).astype(float)
    test = BernoulliTest(0.25, prior=(25.0, 75.0))
    test.update(treated)

    expected = float(np.log(test.e_values_[-1]))
    assert log_mismatch(int(treated.sum()), 400, 0.25) == pytest.approx(expected)


def test_no_answers_are_no_evidence() -> None:
    assert log_mismatch(0, 0, 0.5) == pytest.approx(0)
    assert mismatch_p_value(0, 0, 0.5) == 1


def test_the_expectation_over_the_next_answer_is_the_evidence_itself() -> None:
    now = math.exp(log_mismatch(30, 50, 0.4))
    after = [math.exp(log_mismatch(30 + treated, 51, 0.4)) for treated in (0, 1)]

    assert 0.6 * after[0] + 0.4 * after[1] == pytest.approx(now)


def test_a_division_that_is_off_is_shown() -> None:
    assert mismatch_p_value(600, 1000, 0.5) < 1e-4
    assert mismatch_p_value(510, 1000, 0.5) > 0.05


@pytest.mark.parametrize(("treated", "answers", "proportion"), [(1, 1, 0.0), (2, 1, 0.5)])
def test_impossible_counts_are_refused(treated: int, answers: int, proportion: float) -> None:
    with pytest.raises(ValueError, match=r"proportion|cannot"):
        log_mismatch(treated, answers, proportion)
