"""Heads in closed form by the kind of agent: a classifier answers labels, a selector tools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from archon_inference.card import ModelCard
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder
from archon_inference.selector import EmbeddedCatalogue, Selector
from services.trainer.closed_form.embedding import features_of
from services.trainer.closed_form.label_names import embed_names
from services.trainer.closed_form.learnt_items import ClosedFormState
from services.trainer.closed_form.logistic_head import fit_head
from services.trainer.closed_form.tool_head import fit_tool_head

CLASSIFIER_FORMAT, SELECTOR_FORMAT = 2, 3
"""Of the card of a closed form: readers from before know neither its features nor its head."""


class Heads(ABC):
    """Heads of one agent, each fitted to a state."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """All answers that items may have."""

    @abstractmethod
    def prepare(
        self, state: ClosedFormState, encoder: TextEncoder, max_length: int
    ) -> ClosedFormState:
        """The state with what a head takes from the answers themselves, under this encoder."""

    @abstractmethod
    def answers(self, state: ClosedFormState) -> tuple[str, ...]:
        """Those that a head of this state can give."""

    @abstractmethod
    def fit(self, state: ClosedFormState, answers: Sequence[str]) -> nn.Linear:
        """The head with a row for each of the answers, which `answers` gave for this state."""

    @abstractmethod
    def build(
        self, encoder: TextEncoder, card: ModelCard, state: ClosedFormState
    ) -> Classifier | Selector:
        """The model with the head of this state; the card is that of a version before."""


@dataclass(frozen=True)
class LabelHeads(Heads):
    """A classifier's: a label is answered when an item has it."""

    labels: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The agent's labels."""
        return self.labels

    def prepare(
        self, state: ClosedFormState, encoder: TextEncoder, max_length: int
    ) -> ClosedFormState:
        """With the vectors of the labels' names."""
        features = features_of(encoder, state)
        return embed_names(
            state, self.labels, lambda texts: encoder.embed(texts, max_length, features)
        )

    def answers(self, state: ClosedFormState) -> tuple[str, ...]:
        """Those that have an item."""
        return state.statistics.known(self.labels)

    def fit(self, state: ClosedFormState, answers: Sequence[str]) -> nn.Linear:
        """Logistic regression, or the discriminant analysis of the sums."""
        return fit_head(state, answers)

    def build(self, encoder: TextEncoder, card: ModelCard, state: ClosedFormState) -> Classifier:
        """The classifier of the labels that have an item."""
        answers = self.answers(state)
        head = self.fit(state, answers).to(encoder.device)
        return Classifier(encoder, card.model_copy(update={"labels": answers}), head)


@dataclass(frozen=True)
class ToolHeads(Heads):
    """A selector's: each tool of the catalogue is answered, by its description at least."""

    catalogue: EmbeddedCatalogue

    @property
    def names(self) -> tuple[str, ...]:
        """The tools."""
        return self.catalogue.names

    def prepare(
        self, state: ClosedFormState, encoder: TextEncoder, max_length: int
    ) -> ClosedFormState:
        """As it is: the catalogue holds the vectors of the descriptions."""
        return state

    def answers(self, state: ClosedFormState) -> tuple[str, ...]:
        """All of them."""
        return self.catalogue.names

    def fit(self, state: ClosedFormState, answers: Sequence[str]) -> nn.Linear:
        """Whitened means of descriptions and requests."""
        assert self.catalogue.features_CF is not None, "embedded for a head"
        items = list(state.items.values())
        return fit_tool_head(state.statistics, answers, self.catalogue.features_CF, items)

    def build(self, encoder: TextEncoder, card: ModelCard, state: ClosedFormState) -> Selector:
        """The selector of all tools."""
        head = self.fit(state, self.names).to(encoder.device)
        changed = {"features": "layers", "format_version": SELECTOR_FORMAT}
        return Selector(encoder, card.model_copy(update=changed), self.catalogue, head)
