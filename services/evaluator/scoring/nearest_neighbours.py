"""The free option beside a retrain: the answers of the most similar training items.

Nothing is trained. Vectors are those of the encoder that the closed form reads, which the run did
not change. torch is imported here, so only child processes may import this module.

Source: T. M. Cover and P. E. Hart, "Nearest neighbor pattern classification", IEEE Transactions on
Information Theory 13 (1967); votes weighted by similarity, S. A. Dudani, IEEE Transactions on
Systems, Man, and Cybernetics 6 (1976).

Shape suffixes: N inputs, M known items, H units of a vector, A answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import chain, zip_longest
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from archon_contracts.formats import TrainingItem
from archon_inference.prediction import Prediction
from archon_inference.ranking import rank_answers

NEIGHBOURS: Final = 5
MAXIMUM_KNOWN: Final = 2_000
"""Items that are looked among: to embed one takes some 3 ms of a core, and a gate waits for it."""


def select_known(items: Sequence[TrainingItem], answers: Collection[str]) -> list[TrainingItem]:
    """The items whose target is one of the answers; of too many as many of each target."""
    by_target: dict[str, list[TrainingItem]] = defaultdict(list)
    for item in items:
        if item.target in answers:
            by_target[item.target].append(item)
    interleaved = chain.from_iterable(zip_longest(*by_target.values()))
    return [item for item in interleaved if item is not None][:MAXIMUM_KNOWN]


def answer_by_neighbours(
    vectors_NH: Tensor, known_MH: Tensor, targets: Sequence[str], k: int
) -> list[Prediction]:
    """For each input the target that its nearest known items vote for, by cosine.

    Raises:
        ValueError: nothing is known.
    """
    if not targets:
        raise ValueError("targets: without a known item there is no nearest one")
    names = tuple(sorted(set(targets)))
    places = {name: place for place, name in enumerate(names)}
    answers_M = torch.tensor([places[target] for target in targets])
    cosines_NM = normalize(vectors_NH, dim=-1).cpu() @ normalize(known_MH, dim=-1).cpu().T
    nearest = cosines_NM.topk(min(NEIGHBOURS, len(targets)), dim=-1)
    votes_NA = cosines_NM.new_zeros(len(vectors_NH), len(names))
    # An item that points the other way says nothing, rather than speaking against its target.
    votes_NA.scatter_add_(1, answers_M[nearest.indices], nearest.values.clamp(min=0))
    return rank_answers(votes_NA / votes_NA.sum(1, keepdim=True).clamp(min=1e-9), names, k)
