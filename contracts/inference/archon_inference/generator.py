"""A generator: a causal language model that completes a prompt, always with the likeliest token."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archon_inference.card import ModelCard
from archon_inference.devices import Precision
from archon_inference.encoder import length_batches
from archon_inference.errors import ModelFolderInvalid
from archon_inference.generation.causal_model import CausalModel
from archon_inference.generation.decoding import complete, tokenize_prompt
from archon_inference.prediction import Prediction

BATCH = 16


@dataclass(frozen=True, weakref_slot=True, slots=True)
class Generator:
    """A loaded generator: a base model, which others may share, and the adapter of this version."""

    base: CausalModel
    card: ModelCard
    adapter: str | None = None

    @classmethod
    def load(
        cls,
        folder: Path,
        card: ModelCard,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> Generator:
        """Load the generator in `folder`.

        Raises:
            ModelFolderInvalid: a file cannot be read, or does not fit the others.
        """
        base = CausalModel.load(folder, device=device, precision=precision)
        return cls.from_base(folder, card, base)

    @classmethod
    def from_base(cls, folder: Path, card: ModelCard, base: CausalModel) -> Generator:
        """The generator in `folder` over its base model, which is in memory already.

        Raises:
            ModelFolderInvalid: the adapter cannot be read, or is of another base model.
        """
        if not card.adapters:
            return cls(base, card)
        if len(card.adapters) > 1:
            raise ModelFolderInvalid(
                f"{folder} names {len(card.adapters)} adapters, and a version answers with one: "
                "leave one in its card"
            )
        name = base.put_adapter(folder / card.adapters[0])
        generator = cls(base, card, name)
        weakref.finalize(generator, base.release_adapter, name)
        return generator

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        """The completion of each input; greedy decoding has no runners-up, whatever `k`."""
        tokenizer, limit = self.base.tokenizer, self.card.max_length
        answers = [Prediction("", 0.0)] * len(inputs)
        with self.base.selected(self.adapter) as model:
            prompts = [tokenize_prompt(tokenizer, text, limit) for text in inputs]
            for rows in length_batches([len(prompt) for prompt in prompts], BATCH):
                completed = complete(
                    model,
                    tokenizer,
                    [prompts[row] for row in rows],
                    max_new_tokens=self.card.max_new_tokens,
                    stop_at_line_end=self.card.stop_at_line_end,
                )
                for row, (text, score) in zip(rows, completed, strict=True):
                    answers[row] = Prediction(text, score)
        return answers
