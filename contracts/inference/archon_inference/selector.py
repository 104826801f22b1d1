"""A selector: picks one tool of a catalogue by the cosine of request and tool description.

Only the request side is trained. The tools' embeddings are those of the base model and stay as they
are from version to version: they need not be made again, a new tool joins by being embedded, and
all tools can be negatives of every training step at the price of one matrix product.

Shape suffixes: N requests, C tools of the catalogue, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import normalize

from archon_inference.card import ModelCard, write_card
from archon_inference.catalogue import (
    CATALOGUE_FILE,
    EMBEDDINGS_FILE,
    Tool,
    read_catalogue,
    write_catalogue,
)
from archon_inference.devices import Precision
from archon_inference.encoder import TextEncoder
from archon_inference.errors import ModelFolderInvalid
from archon_inference.prediction import Prediction
from archon_inference.ranking import rank_answers


@dataclass(frozen=True)
class EmbeddedCatalogue:
    """Tools and their unit vectors [C, H], row by row."""

    tools: tuple[Tool, ...]
    vectors_CH: Tensor

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu") -> EmbeddedCatalogue:
        """The catalogue of a selector's model folder.

        Raises:
            ModelFolderInvalid: its vectors are missing or belong to another catalogue.
        """
        tools = tuple(read_catalogue(folder))
        try:
            vectors_CH = load_file(folder / EMBEDDINGS_FILE)["embeddings"]
        except (FileNotFoundError, SafetensorError, KeyError) as error:
            raise ModelFolderInvalid(f"{folder} has no tool embeddings: {error}") from error
        if len(vectors_CH) != len(tools):
            raise ModelFolderInvalid(
                f"{folder} has {len(tools)} tools but {len(vectors_CH)} embeddings"
            )
        return cls(tools, vectors_CH.to(device))

    def save(self, folder: Path) -> None:
        """Write both files into a model folder."""
        write_catalogue(folder / CATALOGUE_FILE, self.tools)
        save_file({"embeddings": self.vectors_CH.contiguous()}, folder / EMBEDDINGS_FILE)


def embed_tools(encoder: TextEncoder, tools: Sequence[Tool], max_length: int) -> Tensor:
    """Unit vectors [C, H] of tools, as the *base* encoder sees them."""
    return normalize(encoder.embed([tool.text for tool in tools], max_length), dim=-1)


@dataclass(frozen=True)
class Selector:
    """A loaded selector."""

    encoder: TextEncoder
    card: ModelCard
    catalogue: EmbeddedCatalogue

    @classmethod
    def load(
        cls,
        folder: Path,
        card: ModelCard,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> Selector:
        """Load the selector in `folder`."""
        encoder = TextEncoder.load(folder, card.frozen_layers, device=device, precision=precision)
        return cls(encoder, card, EmbeddedCatalogue.load(folder, device=device))

    def save(self, folder: Path) -> None:
        """Write a complete model folder; the card last."""
        self.encoder.save(folder)
        self.catalogue.save(folder)
        write_card(folder, self.card)

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        """The best tool for each request, with the runners-up."""
        ids = self.encoder.tokenize(inputs, self.card.max_length)
        return self.predict_from_states(self.encoder.compute_frozen_states(ids), k=k)

    def predict_from_states(self, states: Sequence[Tensor], *, k: int) -> list[Prediction]:
        """Predictions for requests that went through the frozen layers already."""
        if not states:
            return []
        requests_NH = normalize(self.encoder.pool_states(states), dim=-1)
        cosines_NC = requests_NH @ self.catalogue.vectors_CH.T
        probabilities_NC = torch.softmax(cosines_NC / self.card.temperature, dim=-1)
        return rank_answers(probabilities_NC, tuple(t.name for t in self.catalogue.tools), k)
