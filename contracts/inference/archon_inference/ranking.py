"""The best answers of each input by their scores.

Shape suffixes: N inputs, A answers.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from archon_inference.prediction import Prediction


def rank_answers(scores_NA: Tensor, names: tuple[str, ...], k: int) -> list[Prediction]:
    """The best answer of each row, and up to `k` - 1 others as its alternatives.

    Equal scores are ordered by name. `torch.topk` orders them as it likes: what a model that knows
    nothing gets right would depend on the order of its labels.
    """
    order_A = _order_by_name(names)
    best = scores_NA[:, order_A.to(scores_NA.device)].sort(dim=-1, descending=True, stable=True)
    columns = order_A[best.indices[:, :k].cpu()].tolist()
    return [
        Prediction(
            names[row[0]], values[0], tuple(names[column] for column in row[1:]), tuple(values[1:])
        )
        for row, values in zip(columns, best.values[:, :k].tolist(), strict=True)
    ]


@lru_cache(maxsize=8)
def _order_by_name(names: tuple[str, ...]) -> Tensor:
    """Places of the names in alphabetical order; a catalogue has thousands."""
    return torch.tensor(sorted(range(len(names)), key=names.__getitem__))
