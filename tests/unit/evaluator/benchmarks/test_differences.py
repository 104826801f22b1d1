import numpy as np
import pytest
from scipy import stats
from scipy.stats import binomtest

from archon_contracts.formats import CaseResult
from services.evaluator.benchmarks.differences import compare_answers, estimate_mean_difference


def answers(
    rights: list[bool], *, seconds: list[float] | None = None, repeats: int = 1
) -> list[CaseResult]:
    return [
        CaseResult(
            id=str(number),
            repeat=repeat,
            group=f"g{number % 2}",
            target="a",
            output="a" if right else "b",
            correct=right,
            latency_seconds=seconds[number] if seconds else None,
        )
        for repeat in range(repeats)
        for number, right in enumerate(rights)
    ]


def test_right_or_wrong_is_tested_exactly() -> None:
    now, then = [True] * 16 + [False] * 4, [True] * 8 + [False] * 12

    found = compare_answers(answers(now), answers(then), ["accuracy"])

    whole = next(each for each in found if each.group == "all")
    assert whole.estimate.value == pytest.approx(0.4)
    assert whole.p_value == pytest.approx(binomtest(8, 8).pvalue)


def test_a_real_valued_metric_has_scipys_bca_interval() -> None:
    differences = [0.3, -0.1, 0.5, 0.2, 0.9, 0.4, -0.3, 0.1, 0.2, 0.6]
    expected = stats.bootstrap(
        (differences,), np.mean, n_resamples=1999, rng=np.random.default_rng(20_260_101)
    ).confidence_interval

    found = estimate_mean_difference(differences)

    assert found is not None
    estimate, p_value = found
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
    assert p_value == pytest.approx(
        stats.permutation_test(
            (differences,),
            np.mean,
            permutation_type="samples",
            n_resamples=1999,
            rng=np.random.default_rng(20_260_101),
        ).pvalue
    )


def test_many_items_go_through_the_t_distribution() -> None:
    sample = np.random.default_rng(0).normal(0.05, 1.0, 900)

    found = estimate_mean_difference(sample.tolist())

    assert found is not None
    tested = stats.ttest_1samp(sample, 0.0)
    assert found[1] == pytest.approx(tested.pvalue)
    assert found[0].low == pytest.approx(tested.confidence_interval().low)


@pytest.mark.parametrize(
    ("differences", "p_value"), [([0.0] * 9, 1.0), ([0.1] * 9, 2 * 0.5**9), ([0.1], None)]
)
def test_equal_differences_need_no_resampling(
    differences: list[float], p_value: float | None
) -> None:
    found = estimate_mean_difference(differences)

    assert (found and found[1]) == p_value


def test_p_is_adjusted_over_all_metrics_and_groups() -> None:
    seconds = [0.1 + number / 100 for number in range(20)]
    now = answers([True] * 20, seconds=seconds)
    then = answers([True] * 10 + [False] * 10, seconds=[2 * each for each in seconds])

    found = compare_answers(now, then, ["accuracy", "time_per_task"])

    assert {(each.metric, each.group) for each in found} == {
        (metric, group) for metric in ("accuracy", "time_per_task") for group in ("all", "g0", "g1")
    }
    raw = sorted(each.p_value for each in found)
    smallest = min(found, key=lambda each: each.p_value)
    assert smallest.adjusted_p_value == pytest.approx(min(1.0, 6 * raw[0]))
    assert all(each.adjusted_p_value >= each.p_value for each in found)


def test_repeats_are_no_further_items() -> None:
    now, then = [True, False, True, True], [False, False, True, False]

    once = compare_answers(answers(now), answers(then), ["accuracy"])
    often = compare_answers(answers(now, repeats=10), answers(then, repeats=10), ["accuracy"])

    whole = [next(e for e in found if e.group == "all") for found in (once, often)]
    assert [each.estimate.n for each in whole] == [4, 4]
    assert whole[1].p_value > 0.05


def test_no_difference_is_found_in_noise_more_often_than_promised() -> None:
    """At 5 % of 100 comparisons of equal agents at most 10 are significant."""
    rng = np.random.default_rng(4)
    found = [estimate_mean_difference(rng.normal(0, 1, 25).tolist()) for _ in range(100)]

    assert sum(each is not None and each[1] <= 0.05 for each in found) <= 10
