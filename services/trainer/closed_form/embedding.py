"""Vectors of training items: those that a version has are used again, the others are computed.

Shape suffixes: N items, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from archon_contracts.formats import TrainingItem
from archon_inference.card import Features
from archon_inference.encoder import TextEncoder
from archon_inference.encoding.learnt_vectors import text_digest
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem

FEATURES: Final[Features] = "layers"
"""What a closed form reads where it does not go on from a version with other features; measured on
validation rows (decision 74)."""


def features_of(encoder: TextEncoder, state: ClosedFormState) -> Features:
    """What the state's vectors are made of."""
    return FEATURES if state.hidden == encoder.feature_size(FEATURES) else "pooled"


def learnt_item(item: TrainingItem, vector_H: Tensor) -> LearntItem:
    """A training item as the sums know it."""
    ids = item.feedback_ids or ((item.id,) if item.id else ())
    return LearntItem(text_digest(item.input), item.target, item.weight, vector_H, ids)


def learn_items(
    state: ClosedFormState, items: Sequence[TrainingItem], vectors_NH: Tensor
) -> ClosedFormState:
    """The state with these items, whose vectors are known."""
    pairs = zip(items, vectors_NH.cpu(), strict=True)
    return state.learn([learnt_item(item, vector_H) for item, vector_H in pairs])


def embed_new(
    encoder: TextEncoder,
    items: Sequence[TrainingItem],
    max_length: int,
    state: ClosedFormState,
) -> Tensor:
    """The vectors [N, H] of the items, on the encoder's device.

    They have the state's features, and its vectors are of the same encoder: it lies in the same
    folder.
    """
    features = features_of(encoder, state)
    if not items:
        return torch.empty(0, encoder.feature_size(features), device=encoder.device)
    known = state.vectors()
    digests = [text_digest(item.input) for item in items]
    # Equal texts are embedded once; the first of them stands for all.
    missing = {d: i.input for d, i in zip(digests, items, strict=True) if d not in known}
    if missing:
        vectors_NH = encoder.embed(list(missing.values()), max_length, features).cpu()
        known |= dict(zip(missing, vectors_NH, strict=True))
    return torch.stack([known[digest] for digest in digests]).to(encoder.device)
