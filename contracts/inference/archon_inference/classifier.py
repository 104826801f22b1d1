"""A classifier: encoder, pooled features and one linear layer over a fixed set of labels.

Shape suffixes: N texts, L labels, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from archon_inference.card import Features, ModelCard, write_card
from archon_inference.devices import Precision
from archon_inference.encoder import TextEncoder, load_head
from archon_inference.model_files import HEAD_FILE
from archon_inference.prediction import Prediction
from archon_inference.ranking import rank_answers


@dataclass(frozen=True)
class Classifier:
    """A loaded classifier; `card.labels` names the rows of the head."""

    encoder: TextEncoder
    card: ModelCard
    head: nn.Linear

    @classmethod
    def load(
        cls,
        folder: Path,
        card: ModelCard,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> Classifier:
        """Load the classifier in `folder`.

        Raises:
            ModelFolderInvalid: the head is missing or has other labels than the card.
        """
        encoder = TextEncoder.load(folder, card.frozen_layers, device=device, precision=precision)
        return cls.from_encoder(folder, card, encoder)

    @classmethod
    def from_encoder(cls, folder: Path, card: ModelCard, encoder: TextEncoder) -> Classifier:
        """The classifier in `folder`, whose encoder is loaded already.

        Raises:
            ModelFolderInvalid: see `load`.
        """
        return cls(encoder, card, load_head(folder, encoder, card.features, len(card.labels)))

    @property
    def answers(self) -> tuple[str, ...]:
        """What it can answer, by the rows of its head."""
        return self.card.labels

    @property
    def features(self) -> Features:
        """What its vectors are made of."""
        return self.card.features

    def save(self, folder: Path) -> None:
        """Write a complete model folder; the card last."""
        self.encoder.save(folder)
        self.save_version(folder)

    def save_version(self, folder: Path) -> None:
        """Write all but the encoder, which versions of the fast path share; the card last."""
        save_file(self.head.state_dict(), folder / HEAD_FILE)
        write_card(folder, self.card)

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        """The best label for each text, with the runners-up."""
        if not inputs:
            return []
        vectors = self.encoder.embed_for_answers(inputs, self.card.max_length, self.card.features)
        return self.predict_from_vectors(vectors, k=k)

    def embed(self, inputs: Sequence[str]) -> Tensor:
        """What the head reads of each text [N, H]."""
        return self.encoder.embed(inputs, self.card.max_length, self.features)

    def logits(self, vectors_NH: Tensor) -> Tensor:
        """The scores [N, L] of all labels, before the softmax."""
        scores_NL: Tensor = self.head(vectors_NH)
        return scores_NL

    @torch.no_grad()
    def predict_from_states(self, states: Sequence[Tensor], *, k: int) -> list[Prediction]:
        """Predictions for texts that went through the frozen layers already."""
        if not states:
            return []
        vectors_NH = self.encoder.pool_states(states, self.card.features)
        return self.predict_from_vectors(vectors_NH, k=k)

    @torch.no_grad()
    def predict_from_vectors(self, vectors_NH: Tensor, *, k: int) -> list[Prediction]:
        """Predictions for texts whose vectors are known, as `embed` makes them."""
        probabilities_NL = torch.softmax(self.logits(vectors_NH), dim=-1)
        return rank_answers(probabilities_NL, self.answers, k)
