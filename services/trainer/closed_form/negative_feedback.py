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
from archon_inference.encoding.learnt_vectors import text_digest
from services.trainer.closed_form.heads import Heads
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem, estimate_name

ROUNDS: Final = 3
CANDIDATES: Final = 3
"""Answers that an item counts for, the most probable first; with one, and with one round, less is
learnt (validation rows of CLINC150, seeds that no benchmark reports)."""
LEAST_PROBABILITY: Final = 0.05
LEAST_AFTER_A_SIGNAL: Final = 0.5
"""Where only behaviour speaks against one answer. Of 30 to 190 undone answers the lower bound cost
a head that knows one example of a label 9 to 10 points, this one none (validation rows of CLINC150,
seeds 40 to 42, by the functions of `make bench NAME=ratings_only`); five answers that were shown
leave few others, and gain most with the lower one."""


def learn_negatives(
    state: ClosedFormState,
    items: Sequence[TrainingItem],
    vectors_NH: Tensor,
    heads: Heads,
) -> ClosedFormState:
    """The state with items of which only wrong answers are known.

    Nothing is estimated where fewer than two answers can be given, or where all that was denied are
    answers that cannot; what was denied is remembered, so that a later rating of the same text, or
    a version with that answer, excludes it too.
    """
    denials = _denials(items)
    if not denials:
        return state
    state = state.deny(denials)
    answers = heads.answers(state)
    denied_of = [state.denied.get(text_digest(item.input), {}) for item in items]
    rows = [n for n, denied in enumerate(denied_of) if not denied.keys().isdisjoint(answers)]
    if len(answers) < 2 or not rows:
        return state
    items, vectors_NH = [items[row] for row in rows], vectors_NH[rows].cpu()
    excluded_NL = torch.tensor(
        [[answer in denied_of[row] for answer in answers] for row in rows], dtype=torch.bool
    )
    changed = state
    for _ in range(ROUNDS):
        with torch.no_grad():
            logits_NL = heads.fit(changed, answers)(vectors_NH)
        probability_NL = logits_NL.masked_fill(excluded_NL, float("-inf")).softmax(1)
        # From the state without estimates each time: a round corrects the one before.
        changed = state.learn(_estimates(state, items, vectors_NH, probability_NL, answers))
    return changed


def _denials(items: Sequence[TrainingItem]) -> dict[str, dict[str, tuple[str, ...]]]:
    """By text the answers that were rated wrong, with the feedback that says so; none of a failure
    to answer, which denies nothing."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for item in items:
        if not item.rejected:
            continue
        of_text = found.setdefault(text_digest(item.input), {})
        ids = item.feedback_ids or ((item.id,) if item.id else ())
        for answer in item.rejected:
            of_text[answer] = (*of_text.get(answer, ()), *ids)
    return found


def _estimates(
    state: ClosedFormState,
    items: Sequence[TrainingItem],
    vectors_NH: Tensor,
    probability_NL: Tensor,
    answers: Sequence[str],
) -> list[LearntItem]:
    most = probability_NL.topk(min(CANDIDATES, len(answers)), dim=1)
    found = []
    for item, vector_H, values, places in zip(
        items, vectors_NH, most.values.tolist(), most.indices.tolist(), strict=True
    ):
        digest = text_digest(item.input)
        least = LEAST_AFTER_A_SIGNAL if _is_behaviour(item) else LEAST_PROBABILITY
        # Every denial of the text has a part in what is left.
        ids = tuple(dict.fromkeys(n for each in state.denied[digest].values() for n in each))
        for value, place in zip(values, places, strict=True):
            # An item all of whose answers are excluded has no probability at all.
            if value >= least:
                name = estimate_name(digest, answers[place])
                weight = item.weight * value
                found.append(LearntItem(name, answers[place], weight, vector_H, ids))
    return found


def _is_behaviour(item: TrainingItem) -> bool:
    """Whether nobody said that the answer was wrong, nor was shown another one to take."""
    stated = item.rating is not None or item.reward is not None
    return bool(item.signals) and not item.shown and not stated
