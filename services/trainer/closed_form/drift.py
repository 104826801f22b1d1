"""What an earlier encoder's vectors would be under a tuned one, for texts that are not there again.

After a fine-tuning the sums are made anew, of the window and of what is replayed. Replay holds a
part of the labels only, and a closed form that goes on from there would have lost the others. The
vectors that are there under both encoders give a linear map of the difference, by ridge regression,
and the others are moved by it.

Sources: L. Yu et al., "Semantic Drift Compensation for Class-Incremental Learning", CVPR 2020 (the
drift of present items moves earlier class means); A. Gomez-Villa et al., "Exemplar-free Continual
Representation Learning via Learnable Drift Compensation", ECCV 2024 (by a linear map).

Shape suffixes: N items in both, M items to move, H hidden units.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from services.trainer.closed_form.learnt_items import ClosedFormState, text_of

PENALTY: Final = 1.0
"""Of the map's squared weights, for vectors of length one: items in both are few, and without
evidence nothing moves."""


def carry_over(before: ClosedFormState, after: ClosedFormState) -> ClosedFormState:
    """`after`, a state under the tuned encoder, with the items of `before` that it lacks.

    Their ids stay theirs, so that a retraction subtracts them. Where the two have other features
    than those that a tuned model has of its own version, nothing is carried over.
    """
    old, new = before.vectors(), after.vectors()
    shared = sorted(old.keys() & new.keys())
    missing = [item for item in before.items.values() if text_of(item.text) not in new]
    if not shared or not missing or before.hidden not in (after.hidden, 2 * after.hidden):
        return after
    new_NH = torch.stack([new[text] for text in shared]).float()
    # A tuned head reads the last layer alone, at its own length; a closed form two of length one.
    length = new_NH.norm(dim=1).mean() if before.hidden != after.hidden else new_NH.new_ones(())
    old_NH = length * torch.stack([old[text] for text in shared])[:, -after.hidden :].float()
    gone_MH = length * torch.stack([i.vector_H for i in missing])[:, -after.hidden :].float()
    moved_MH = gone_MH + _drift(old_NH, new_NH - old_NH, gone_MH)
    carried = [
        replace(item, vector_H=vector_H) for item, vector_H in zip(missing, moved_MH, strict=True)
    ]
    # The carried ones are the older items: where there are too many, they leave first.
    whole = ClosedFormState.empty(after.hidden).learn([*carried, *after.items.values()])
    return replace(whole, denied={**before.denied, **after.denied}, names=after.names)


def _drift(at_NH: Tensor, drift_NH: Tensor, of_MH: Tensor) -> Tensor:
    """The drift at other places, by ridge regression on the directions of the vectors."""
    x_NH, y_MH = normalize(at_NH, dim=1).double(), normalize(of_MH, dim=1).double()
    gram_HH = x_NH.T @ x_NH + PENALTY * torch.eye(x_NH.shape[1], dtype=torch.float64)
    map_HH: Tensor = torch.linalg.solve(gram_HH, x_NH.T @ drift_NH.double())
    return (y_MH @ map_HH).float()
