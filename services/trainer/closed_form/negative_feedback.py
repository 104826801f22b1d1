"""Answers that were rated wrong, where nobody said the right one, in a closed form.

"Not this label" leaves all the others as candidates, which the present head ranks: the most
probable ones are learnt, each with its probability as its weight, and the head is fitted again; a
few such rounds are expectation maximisation. Sources: R. Jin and Z. Ghahramani, "Learning with
Multiple Labels", NIPS 2002 (a set of candidate labels); T. Ishida, G. Niu, W. Hu and M. Sugiyama,
"Learning from Complementary Labels", NeurIPS 2017 (all labels but one).

Shape suffixes: N items, H hidden units, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from archon_contracts.formats import TrainingItem
from services.trainer.closed_form.learnt_items import (
    ClosedFormState,
    LearntItem,
    estimate_name,
    text_digest,
)
from services.trainer.closed_form.logistic_head import fit_head

ROUNDS: Final = 3
CANDIDATES: Final = 3
"""Labels that an item counts for, the most probable first; with one, and with one round, less is
learnt (validation rows of CLINC150, seeds that no benchmark reports)."""
LEAST_PROBABILITY: Final = 0.05


def learn_negatives(
    state: ClosedFormState,
    items: Sequence[TrainingItem],
    vectors_NH: Tensor,
    labels: Sequence[str],
) -> ClosedFormState:
    """The state with items of which only wrong labels are known.

    `labels` have an item each. Nothing is learnt of fewer than two of them.
    """
    if len(labels) < 2 or not items:
        return state
    # A new rating replaces what was estimated of its text, also where it teaches nothing itself.
    state = state.drop_estimates({text_digest(item.input) for item in items})
    labels = state.statistics.known(labels)
    if len(labels) < 2:
        return state
    vectors_NH = vectors_NH.cpu()
    excluded_NL = torch.tensor(
        [[label in item.rejected for label in labels] for item in items], dtype=torch.bool
    )
    changed = state
    for _ in range(ROUNDS):
        with torch.no_grad():
            logits_NL = fit_head(changed, labels)(vectors_NH)
        probability_NL = logits_NL.masked_fill(excluded_NL, float("-inf")).softmax(1)
        # From the state without estimates each time: a round corrects the one before.
        changed = state.learn(_estimates(items, vectors_NH, probability_NL, labels))
    return changed


def _estimates(
    items: Sequence[TrainingItem],
    vectors_NH: Tensor,
    probability_NL: Tensor,
    labels: Sequence[str],
) -> list[LearntItem]:
    most = probability_NL.topk(min(CANDIDATES, len(labels)), dim=1)
    found = []
    for item, vector_H, values, places in zip(
        items, vectors_NH, most.values.tolist(), most.indices.tolist(), strict=True
    ):
        ids = item.feedback_ids or ((item.id,) if item.id else ())
        digest = text_digest(item.input)
        for value, place in zip(values, places, strict=True):
            # An item all of whose labels are excluded has no probability at all.
            if value >= LEAST_PROBABILITY:
                name = estimate_name(digest, labels[place])
                weight = item.weight * value
                found.append(LearntItem(name, labels[place], weight, vector_H, ids))
    return found
