"""The base model as a predictor of its own: what the first candidate is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

import torch

from archon_inference.base_models import resolve_base_model
from archon_inference.card import ModelCard, read_card
from archon_inference.devices import Precision
from archon_inference.encoder import TextEncoder
from archon_inference.generator import Generator
from archon_inference.ports import Predictor
from archon_inference.prediction import Prediction
from archon_inference.ranking import rank_answers
from archon_inference.selector import EmbeddedCatalogue, Selector, embed_tools


def load_baseline_predictor(
    uri: str,
    candidate: Path,
    cache: Path | None,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
) -> Predictor:
    """The base model at `uri`, used as the candidate is used: same catalogue, labels and lengths.

    Raises:
        BaseModelMissing: the message says what to install.
    """
    card = read_card(candidate)
    base = resolve_base_model(uri, cache)
    match card.kind:
        case "selector":
            return _load_selector(base, uri, candidate, card, device, precision)
        case "classifier":
            return BaselineClassifier(card)
        case "generator":
            plain = card.model_copy(update={"adapters": ()})
            return Generator.load(base, plain, device=device, precision=precision)
        case _:
            assert_never(card.kind)


def _load_selector(
    base: Path, uri: str, candidate: Path, card: ModelCard, device: str, precision: Precision
) -> Selector:
    encoder = TextEncoder.load(base, card.frozen_layers, device=device, precision=precision)
    catalogue = EmbeddedCatalogue.load(candidate, device=device)
    if uri != card.base_model:
        # A selector's tool vectors are those of its base model; another one needs its own.
        vectors = embed_tools(encoder, catalogue.tools, card.catalogue_max_length)
        catalogue = EmbeddedCatalogue(catalogue.tools, vectors)
    return Selector(encoder, card, catalogue)


class BaselineClassifier:
    """A base model under a head that has learnt nothing: all labels tie, whatever the input is.

    So nothing is embedded: the first label by name is the answer, as `rank_answers` orders ties.
    """

    def __init__(self, card: ModelCard) -> None:
        self._labels = card.labels

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        """The same prediction for each text."""
        scores_NL = torch.full((1, len(self._labels)), 1 / len(self._labels))
        return rank_answers(scores_NL, self._labels, k) * len(inputs)
