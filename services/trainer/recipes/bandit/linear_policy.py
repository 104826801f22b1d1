"""The version before as scores that are linear in frozen features, whatever its head is made of.

Shape suffixes: N items, F features, A answers, C tools, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from archon_inference.card import read_card
from archon_inference.classifier import Classifier
from archon_inference.selector import Selector
from services.trainer.closed_form.heads import SELECTOR_FORMAT
from services.trainer.recipes.bandit.policy import HeadChange
from services.trainer.recipes.run import EncoderConfig, TrainingRun
from services.trainer.recipes.selector import embed_run_catalogue


@dataclass(frozen=True, slots=True)
class LinearPolicy:
    """A model whose scores are its head of its features."""

    model: Classifier | Selector

    @property
    def head(self) -> nn.Linear:
        """With a row for each answer."""
        assert self.model.head is not None, "a selector gets one in start_policy"
        return self.model.head

    def embed(self, texts: Sequence[str]) -> Tensor:
        """The features [N, F] of texts, on the CPU."""
        return self.model.embed(texts).cpu() if texts else torch.empty(0, self.head.in_features)

    @torch.no_grad()
    def scores(self, features_NF: Tensor) -> Tensor:
        """The scores [N, A] before any change."""
        scores_NA: Tensor = self.head.to("cpu")(features_NF)
        return scores_NA

    @torch.no_grad()
    def changed(self, change: HeadChange) -> Classifier | Selector:
        """The model with the change in its head."""
        head = _linear(
            self.head.weight.cpu() + change.weight_FA.T, self.head.bias.cpu() + change.bias_A
        )
        return replace(self.model, head=head.to(self.model.encoder.device))


def start_policy(run: TrainingRun[EncoderConfig], first: Classifier | Selector) -> LinearPolicy:
    """The policy of the run's warm-start model; without one, that of the `first` model.

    `first` is fitted in closed form to what the dataset states. A selector's tools are the run's:
    a tool that the version does not know has its row there.
    """
    if run.warm_start_model is None:
        return LinearPolicy(first)
    model = _load(run.warm_start_model, run.device)
    if isinstance(model, Classifier):
        return LinearPolicy(model)
    assert isinstance(first, Selector)
    return LinearPolicy(_with_tools_of(run, model, first))


def _load(folder: Path, device: str) -> Classifier | Selector:
    card = read_card(folder)
    if card.kind == "selector":
        return Selector.load(folder, card, device=device)
    return Classifier.load(folder, card, device=device)


@torch.no_grad()
def _with_tools_of(run: TrainingRun[EncoderConfig], model: Selector, first: Selector) -> Selector:
    """The selector with a head that has a row for each tool of the run."""
    catalogue = embed_run_catalogue(run)
    card = model.card.model_copy(update={"features": "layers", "format_version": SELECTOR_FORMAT})
    if model.head is None:
        # The second half of these features is what the cosines are of, at length one.
        tools_CH = catalogue.vectors_CH / model.card.temperature
        weight_CF = torch.cat([torch.zeros_like(tools_CH), tools_CH], dim=1)
        head = _linear(weight_CF, torch.zeros(len(weight_CF)))
    else:
        assert first.head is not None, "a closed form has one"
        known = {name: place for place, name in enumerate(model.answers)}
        rows = [
            (model.head, known[name]) if name in known else (first.head, place)
            for place, name in enumerate(catalogue.names)
        ]
        head = _linear(
            torch.stack([of.weight[row] for of, row in rows]),
            torch.stack([of.bias[row] for of, row in rows]),
        )
    return Selector(model.encoder, card, catalogue, head.to(model.encoder.device))


def _linear(weight_AF: Tensor, bias_A: Tensor) -> nn.Linear:
    head = nn.Linear(weight_AF.shape[1], weight_AF.shape[0])
    with torch.no_grad():
        head.weight.copy_(weight_AF)
        head.bias.copy_(bias_A)
    return head
