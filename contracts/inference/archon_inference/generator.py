"""A generator: a causal language model that completes a prompt, always with the likeliest token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.generation.utils import GenerateDecoderOnlyOutput

from archon_inference.card import ModelCard
from archon_inference.devices import Precision
from archon_inference.encoder import length_batches
from archon_inference.model_files import SAFE_LOADING_OPTIONS, quiet_loading
from archon_inference.prediction import Prediction

BATCH = 8


def build_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """The prompt for one input: the chat template's if there is one, else the input as a line."""
    if tokenizer.chat_template is None:
        # The line's end keeps the last word of the prompt from growing into the answer.
        return f"{text}\n"
    messages = [{"role": "user", "content": text}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def load_causal_model(
    folder: Path, *, device: str = "cpu", precision: Precision = "float32"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Weights (a CPU has no fast path for less than float32) and a tokenizer that pads left."""
    with quiet_loading():
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, precision), use_safetensors=True, **SAFE_LOADING_OPTIONS
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, **SAFE_LOADING_OPTIONS)
    # A completion goes on from the last position, where padding on the right would stand.
    tokenizer.padding_side = "left"
    # Many decoders have none; what stands under the attention mask does not matter.
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    nn.Module.to(model, device)  # in place; the library's own `to` has no types
    return model, tokenizer


@dataclass(frozen=True)
class Generator:
    """A loaded generator."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    card: ModelCard

    @classmethod
    def load(
        cls,
        folder: Path,
        card: ModelCard,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> Generator:
        """Load the generator in `folder`."""
        model, tokenizer = load_causal_model(folder, device=device, precision=precision)
        model.train(False)
        return cls(model, tokenizer, card)

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        """The completion of each input; greedy decoding has no runners-up, whatever `k`."""
        prompts = [build_prompt(self.tokenizer, text) for text in inputs]
        answers = [Prediction("", 0.0)] * len(prompts)
        for rows in length_batches([len(prompt) for prompt in prompts], BATCH):
            for row, answer in zip(rows, self._complete([prompts[i] for i in rows]), strict=True):
                answers[row] = answer
        return answers

    @torch.no_grad()
    def _complete(self, prompts: list[str]) -> list[Prediction]:
        batch = self.tokenizer(
            prompts,
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=self.card.max_length,
        ).to(self.model.device)
        generate = cast("Callable[..., GenerateDecoderOnlyOutput]", self.model.generate)
        output = generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=self.card.max_new_tokens,
            do_sample=False,
            pad_token_id=self.tokenizer.pad_token_id,
            return_dict_in_generate=True,
            # Not `scores`: those are what the decoding's processors made of the logits.
            output_logits=True,
        )
        new_BT = output.sequences[:, batch["input_ids"].shape[1] :]
        logits_BTV = torch.stack(list(output.logits or ()), dim=1)
        chosen_BT = logits_BTV.float().log_softmax(-1).gather(-1, new_BT.unsqueeze(-1)).squeeze(-1)
        return [
            Prediction(str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip(), score)
            for ids, score in zip(new_BT, self._confidence(new_BT, chosen_BT), strict=True)
        ]

    def _confidence(self, new_BT: torch.Tensor, chosen_BT: torch.Tensor) -> list[float]:
        """Geometric mean of the probabilities up to and with the first end token."""
        ends_BT = new_BT == self.tokenizer.eos_token_id
        counted_BT = (ends_BT.cumsum(-1) - ends_BT.long()) == 0
        mean_B = (chosen_BT * counted_BT).sum(-1) / counted_BT.sum(-1).clamp(min=1)
        return [float(value) for value in mean_B.exp()]
