"""A selector: picks one tool of a catalogue for a request.

By the cosine of request and tool description, where only the request side is trained: the tools'
embeddings are those of the base model and stay as they are from version to version, so they need
not be made again, a new tool joins by being embedded, and all tools can be negatives of every
training step at the price of one matrix product. Or by a head with a row for each tool, made of its
description and of the requests that used it (`services/trainer/closed_form`).

Shape suffixes: N requests, C tools of the catalogue, H hidden units, F units of the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from archon_inference.card import Features, ModelCard, write_card
from archon_inference.catalogue import (
    CATALOGUE_FILE,
    EMBEDDINGS_FILE,
    Tool,
    read_catalogue,
    write_catalogue,
)
from archon_inference.devices import Precision
from archon_inference.encoder import TextEncoder, load_head
from archon_inference.errors import ModelFolderInvalid
from archon_inference.model_files import HEAD_FILE
from archon_inference.prediction import Prediction
from archon_inference.ranking import rank_answers


@dataclass(frozen=True)
class EmbeddedCatalogue:
    """Tools and their unit vectors [C, H], row by row.

    `features_CF` are their vectors as a head reads requests; a selector without a head may lack
    them.
    """

    tools: tuple[Tool, ...]
    vectors_CH: Tensor
    features_CF: Tensor | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the tools, in the order of their rows."""
        return tuple(tool.name for tool in self.tools)

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu") -> EmbeddedCatalogue:
        """The catalogue of a selector's model folder.

        Raises:
            ModelFolderInvalid: its vectors are missing or belong to another catalogue.
        """
        tools = tuple(read_catalogue(folder))
        try:
            tensors = load_file(folder / EMBEDDINGS_FILE)
            vectors_CH = tensors["embeddings"]
        except (FileNotFoundError, SafetensorError, KeyError) as error:
            raise ModelFolderInvalid(f"{folder} has no tool embeddings: {error}") from error
        features_CF = tensors.get("features")
        for found in (vectors_CH, features_CF):
            if found is not None and len(found) != len(tools):
                raise ModelFolderInvalid(
                    f"{folder} has {len(tools)} tools but {len(found)} embeddings"
                )
        features_CF = None if features_CF is None else features_CF.to(device)
        return cls(tools, vectors_CH.to(device), features_CF)

    def save(self, folder: Path) -> None:
        """Write both files into a model folder."""
        write_catalogue(folder / CATALOGUE_FILE, self.tools)
        tensors = {"embeddings": self.vectors_CH.contiguous()}
        if self.features_CF is not None:
            tensors["features"] = self.features_CF.contiguous()
        save_file(tensors, folder / EMBEDDINGS_FILE)


def embed_tools(encoder: TextEncoder, tools: Sequence[Tool], max_length: int) -> Tensor:
    """Unit vectors [C, H] of tools, as the *base* encoder sees them."""
    return normalize(encoder.embed([tool.text for tool in tools], max_length), dim=-1)


@dataclass(frozen=True)
class Selector:
    """A loaded selector; `head` has a row for each tool, where there is one."""

    encoder: TextEncoder
    card: ModelCard
    catalogue: EmbeddedCatalogue
    head: nn.Linear | None = None

    @classmethod
    def load(
        cls,
        folder: Path,
        card: ModelCard,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> Selector:
        """Load the selector in `folder`.

        Raises:
            ModelFolderInvalid: its tools' vectors or its head are missing or of other tools.
        """
        encoder = TextEncoder.load(folder, card.frozen_layers, device=device, precision=precision)
        return cls.from_encoder(folder, card, encoder)

    @classmethod
    def from_encoder(cls, folder: Path, card: ModelCard, encoder: TextEncoder) -> Selector:
        """The selector in `folder`, whose encoder is loaded already.

        Raises:
            ModelFolderInvalid: see `load`.
        """
        catalogue = EmbeddedCatalogue.load(folder, device=str(encoder.device))
        head = None
        if card.features == "layers":
            head = load_head(folder, encoder, card.features, len(catalogue.tools))
        return cls(encoder, card, catalogue, head)

    @property
    def answers(self) -> tuple[str, ...]:
        """The names of the tools, in the order of their rows."""
        return self.catalogue.names

    @property
    def features(self) -> Features:
        """What its vectors are made of; without a head they are compared with the tools' own."""
        return "pooled" if self.head is None else self.card.features

    def save(self, folder: Path) -> None:
        """Write a complete model folder; the card last."""
        self.encoder.save(folder)
        self.save_version(folder)

    def save_version(self, folder: Path) -> None:
        """Write all but the encoder, which versions of the fast path share; the card last."""
        self.catalogue.save(folder)
        if self.head is not None:
            save_file(self.head.state_dict(), folder / HEAD_FILE)
        write_card(folder, self.card)

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        """The best tool for each request, with the runners-up."""
        if not inputs:
            return []
        vectors = self.encoder.embed_for_answers(inputs, self.card.max_length, self.features)
        return self.predict_from_vectors(vectors, k=k)

    def embed(self, inputs: Sequence[str]) -> Tensor:
        """What requests are compared with the tools by [N, F]."""
        return self.encoder.embed(inputs, self.card.max_length, self.features)

    def logits(self, vectors_NF: Tensor) -> Tensor:
        """The scores [N, C] of all tools, before the softmax."""
        if self.head is not None:
            scores_NC: Tensor = self.head(vectors_NF)
            return scores_NC
        cosines_NC = normalize(vectors_NF, dim=-1) @ self.catalogue.vectors_CH.T
        return cosines_NC / self.card.temperature

    @torch.no_grad()
    def predict_from_states(self, states: Sequence[Tensor], *, k: int) -> list[Prediction]:
        """Predictions for requests that went through the frozen layers already."""
        if not states:
            return []
        return self.predict_from_vectors(self.encoder.pool_states(states, self.features), k=k)

    @torch.no_grad()
    def predict_from_vectors(self, vectors_NF: Tensor, *, k: int) -> list[Prediction]:
        """Predictions for requests whose vectors are known, as `embed` makes them."""
        probabilities_NC = torch.softmax(self.logits(vectors_NF), dim=-1)
        return rank_answers(probabilities_NC, self.answers, k)
