"""Ranks do not depend on the order of the answers."""

import torch

from archon_inference.ranking import rank_answers

NAMES = tuple(f"label-{number:02}" for number in range(40))
SCORES = torch.tensor([[0.1] * 40, [0.1] * 39 + [0.9]])


def test_equal_scores_are_ordered_by_name_whatever_the_order_of_the_answers() -> None:
    turned = tuple(reversed(NAMES))

    ranked, again = rank_answers(SCORES, NAMES, 3), rank_answers(SCORES.flip(1), turned, 3)

    assert ranked == again
    assert (ranked[0].output, ranked[0].alternatives) == ("label-00", ("label-01", "label-02"))


def test_the_greatest_score_comes_first() -> None:
    best = rank_answers(SCORES, NAMES, 2)[1]

    assert (best.output, best.alternatives) == ("label-39", ("label-00",))
    assert round(best.score, 6) == 0.9


def test_no_more_are_named_than_there_are() -> None:
    assert rank_answers(torch.tensor([[0.3, 0.7]]), ("a", "b"), 5)[0].alternatives == ("a",)
