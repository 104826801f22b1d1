import pytest

from services.trainer.items import TrainingItem
from services.trainer.recipes.generators.validation import find_closed_set, score_epoch


def _items(*targets: str) -> list[TrainingItem]:
    return [TrainingItem(id=str(n), input="a", target=t) for n, t in enumerate(targets)]


def test_few_answers_that_return_are_a_closed_set() -> None:
    assert find_closed_set(_items("Yes", "no", "yes ", "No")) == {"yes", "no"}
    assert find_closed_set(_items("a poem", "a letter", "a song")) == frozenset()


def test_right_answers_count_before_the_loss_and_the_loss_between_equals() -> None:
    def score(loss: float, right: float) -> float:
        return score_epoch({"validation/loss": loss, "validation/accuracy": right}) or 0.0

    assert score(9.0, 1 / 64) > score(0.1, 0.0)
    assert score(0.1, 0.5) > score(0.2, 0.5)


@pytest.mark.parametrize("figures", [{}, {"validation/valid_answers": 1.0}])
def test_without_items_no_epoch_is_the_best(figures: dict[str, float]) -> None:
    assert score_epoch(figures) is None
