"""Answers looked up among training items, beside scikit-learn's on the same vectors."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from archon_contracts.formats import TrainingItem
from services.evaluator.scoring.nearest_neighbours import (
    MAXIMUM_KNOWN,
    NEIGHBOURS,
    answer_by_neighbours,
    select_known,
)


def test_answers_are_those_of_scikit_learn() -> None:
    # Cosines of positive vectors are positive, so that no vote is cut off.
    numbers = np.random.default_rng(3)
    known, asked = numbers.random((60, 8)), numbers.random((200, 8))
    targets = [f"t{n % 4}" for n in range(60)]

    found = answer_by_neighbours(torch.tensor(asked), torch.tensor(known), targets, 3)

    model = KNeighborsClassifier(
        NEIGHBOURS, metric="cosine", algorithm="brute", weights=lambda distances: 1 - distances
    ).fit(known, targets)
    assert [each.output for each in found] == model.predict(asked).tolist()
    scores = model.predict_proba(asked).max(axis=1)
    assert [each.score for each in found] == pytest.approx(scores.tolist(), abs=1e-6)


def test_an_item_that_points_the_other_way_does_not_vote() -> None:
    known = torch.tensor([[1.0, 0.0], [-1.0, 0.1], [-1.0, -0.1]])

    (found,) = answer_by_neighbours(torch.tensor([[1.0, 0.0]]), known, ["a", "b", "b"], 2)

    assert (found.output, found.score) == ("a", 1.0)


def test_of_too_many_items_as_many_of_each_target_are_looked_among() -> None:
    items = [TrainingItem(input="x", target="many")] * (2 * MAXIMUM_KNOWN)
    items += [TrainingItem(input="y", target="few")] * 5 + [TrainingItem(input="z", target="none")]

    found = select_known(items, {"many", "few"})

    assert len(found) == MAXIMUM_KNOWN
    assert sum(item.target == "few" for item in found) == 5
    assert {item.target for item in found} == {"many", "few"}


def test_nothing_known_is_an_error() -> None:
    with pytest.raises(ValueError, match="targets"):
        answer_by_neighbours(torch.ones(1, 2), torch.empty(0, 2), [], 5)
