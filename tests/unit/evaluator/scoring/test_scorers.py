import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluator.scoring.scorers import (
    NothingScored,
    Score,
    exact_match,
    summarise,
    text_match,
    top_k_match,
    wilson_interval,
)

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [("get_weather", "get_weather", 1.0), ("Get_weather", "get_weather", 0.0), ("", "a", 0.0)],
)
def test_a_name_is_right_letter_by_letter(answer: str, target: str, value: float) -> None:
    assert exact_match(answer, target).value == value


@pytest.mark.parametrize(
    ("answer", "value"), [("It is  PARIS.\n", 1.0), ("it is paris", 0.0), ("paris", 0.0)]
)
def test_a_text_is_right_but_for_case_and_spacing(answer: str, value: float) -> None:
    assert text_match(answer, "It is Paris.").value == value


def test_a_target_among_the_best_answers_counts() -> None:
    assert top_k_match(["a", "b"], "b").value == 1
    assert top_k_match(["a", "b"], "c").value == 0
    assert top_k_match([], "c").value == 0


def test_without_a_right_answer_there_is_no_score() -> None:
    scores = [exact_match("a", None), text_match("a", None), top_k_match(["a"], None)]

    assert [score.value for score in scores] == [None, None, None]


def test_unscored_items_stand_beside_the_mean_and_not_in_it() -> None:
    summary = summarise([Score(1.0, "a"), Score(None, "b"), Score(0.0, "c"), Score(1.0, "d")])

    assert summary.estimate.value == pytest.approx(2 / 3)
    assert summary.estimate.n == 3
    assert summary.unscored == 1


@pytest.mark.parametrize("scores", [[], [Score(None, "a")]])
def test_a_mean_of_no_scores_does_not_exist(scores: list[Score]) -> None:
    with pytest.raises(NothingScored):
        summarise(scores)


def test_the_interval_is_wilsons() -> None:
    # Published example: 15 of 148 gives 0.0624 to 0.1605 (Newcombe 1998, table I, method 3).
    estimate = wilson_interval(15, 148)

    assert (round(estimate.low, 4), round(estimate.high, 4)) == (0.0624, 0.1605)


@given(counts)
def test_an_interval_holds_its_share_and_stays_in_bounds(count: tuple[int, int]) -> None:
    right, n = count

    estimate = wilson_interval(right, n)

    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.high > estimate.low


@given(counts)
def test_more_items_narrow_the_interval(count: tuple[int, int]) -> None:
    right, n = count

    few, many = wilson_interval(right, n), wilson_interval(10 * right, 10 * n)

    assert many.high - many.low < few.high - few.low
