"""What the names of labels say: each is an example of its label, as far as names can be believed.

"book_flight" is what a request to book a flight is about, which is worth several examples where
there are few. The names of one agent may say nothing ("A17") or something else than what its
feedback means. So their weight is measured on the examples: the proportion of labels whose examples
are nearer to their own name than to any other, less that expected at random. It is a function of
sums, so that the head still depends on nothing but the set of items.

Source: Q. Luo, L. Liu, Y. Lin and W. Zhang, "Don't Miss the Labels: Label-semantic Augmented
Meta-Learner for Few-Shot Text Classification", Association for Computational Linguistics, 2021;
here without a meta-learner, as the descriptions of tools are used (`tool_head.py`).

Shape suffixes: L labels, H hidden units.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem
from services.trainer.closed_form.statistics import TINY, ClassStatistics

WEIGHT: Final = 1.0
"""Examples that a name counts for where all names are believed, chosen among 0.25 to 2 on rows of
CLINC150 that no other benchmark reports (`make bench NAME=label_names`, decision 99)."""
NAME: Final = "name "
"""Before a label in the place of a text's digest, which holds no space."""
_BREAKS: Final = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")


def text_of_label(label: str) -> str:
    """The words of a label: `bookFlight`, `book_flight` and `book-flight` are "book flight"."""
    return " ".join(_BREAKS.sub(" ", label).lower().split()) or label


def embed_names(
    state: ClosedFormState, labels: Sequence[str], embed: Callable[[list[str]], Tensor]
) -> ClosedFormState:
    """The state with a vector for each label's name.

    `embed` gives vectors [N, H] as those of the state's items; the known names are of the same
    encoder.
    """
    new = [label for label in labels if label not in state.names]
    if not new:
        return state
    vectors_LH = embed([text_of_label(label) for label in new]).cpu()
    return replace(state, names={**state.names, **dict(zip(new, vectors_LH, strict=True))})


def name_items(state: ClosedFormState, labels: Sequence[str]) -> list[LearntItem]:
    """The names of these labels as examples; none where a name is not known or not believed."""
    if len(labels) < 2 or any(label not in state.names for label in labels):
        return []
    names_LH = torch.stack([state.names[label] for label in labels])
    weight = WEIGHT * measure_belief(state.statistics, labels, names_LH)
    if weight <= 0.0:
        return []
    return [
        LearntItem(f"{NAME}{label}", label, weight, name_H)
        for label, name_H in zip(labels, names_LH, strict=True)
    ]


def measure_belief(statistics: ClassStatistics, labels: Sequence[str], names_LH: Tensor) -> float:
    """How far names can be believed, 0 to 1: labels nearest to their own name, above random."""
    rows = {label: row for row, label in enumerate(statistics.labels)}
    known = [place for place, label in enumerate(labels) if label in rows]
    if len(known) < 2:
        return 0.0
    found = torch.tensor([rows[labels[place]] for place in known])
    weight_L = statistics.weight_L[found].clamp(min=TINY)
    means_LH = statistics.sum_LH[found] / weight_L[:, None]
    # Without the mean of each: names are shorter than requests, which is no difference of labels.
    names_LH = names_LH[known].double()
    cosine_LL = normalize(means_LH - means_LH.mean(0), dim=1) @ (
        normalize(names_LH - names_LH.mean(0), dim=1).T
    )
    own = int((cosine_LL.argmax(1) == torch.arange(len(known))).sum())
    chance = 1.0 / len(known)
    return max(0.0, (own / len(known) - chance) / (1.0 - chance))
