import pytest

from services.trainer.items import TrainingItem
from services.trainer.recipes.generators.signals import choose_class_weights, split_by_signal


def _item(**values: object) -> TrainingItem:
    return TrainingItem.model_validate({"id": "1", "input": "a question", **values})


def test_a_correction_is_a_pair_for_each_wrong_answer_and_they_share_its_weight() -> None:
    signals = split_by_signal([_item(target="right", rejected=("wrong", "worse"), weight=2.0)])

    assert [(p.chosen, p.rejected, p.item.weight) for p in signals.pairs] == [
        ("right", "wrong", 1.0), ("right", "worse", 1.0)
    ]  # fmt: skip
    assert signals.good_answers == ["right", "right"]


@pytest.mark.parametrize(
    ("stated", "is_good"),
    [
        ({"rating": 5.0}, True),
        ({"rating": 4.0}, True),
        ({"rating": 2.0}, False),
        ({"reward": 0.1}, True),
        ({"reward": -1.0}, False),
    ],
)
def test_a_rating_or_reward_is_of_the_answer_that_was_given(
    stated: dict[str, float], is_good: bool
) -> None:
    (rated,) = split_by_signal([_item(actual="given", **stated)]).rated

    assert (rated.answer, rated.is_good) == ("given", is_good)


def test_what_is_wrong_without_a_right_answer_is_bad_and_the_rest_is_counted() -> None:
    signals = split_by_signal(
        [
            _item(rejected=("wrong",)),
            _item(target="right"),
            _item(actual="given", rating=3.0),
            _item(actual="given"),
        ]
    )

    assert [(each.answer, each.is_good) for each in signals.rated] == [
        ("wrong", False), ("right", True)
    ]  # fmt: skip
    assert (signals.pairs, signals.unused) == ((), 2)


def test_both_kinds_of_ratings_count_the_same_however_many_there_are() -> None:
    rated = split_by_signal([_item(actual="x", reward=r) for r in [1.0] * 6 + [-1.0] * 2]).rated

    assert choose_class_weights(rated) == (1.0, 3.0)
    assert choose_class_weights(rated[4:]) == (1.0, 1.0)
    assert choose_class_weights(rated[5:]) == (2.0, 1.0)
