import pytest

from services.evaluator.scoring.scorers import exact_match, text_match, top_k_match


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [("get_weather", "get_weather", True), ("Get_weather", "get_weather", False), ("", "a", False)],
)
def test_a_name_is_right_letter_by_letter(answer: str, target: str, value: bool) -> None:
    assert exact_match(answer, target) is value


@pytest.mark.parametrize(
    ("answer", "value"), [("It is  PARIS.\n", True), ("it is paris", False), ("paris", False)]
)
def test_a_text_is_right_but_for_case_and_spacing(answer: str, value: bool) -> None:
    assert text_match(answer, "It is Paris.") is value


def test_a_target_among_the_best_answers_counts() -> None:
    assert top_k_match(["a", "b"], "b") is True
    assert top_k_match(["a", "b"], "c") is False
    assert top_k_match([], "c") is False


def test_without_a_right_answer_there_is_no_score() -> None:
    scores = [exact_match("a", ""), text_match("a", ""), top_k_match(["a"], "")]

    assert scores == [None, None, None]
