"""Decoding of a batch, greedy or at random, to the end token or the end of the line.

Shape suffixes: B texts, T tokens, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
)

from archon_inference.generation.causal_model import read_end_tokens


def build_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """The prompt for one input: the chat template's if there is one, else the input as a line."""
    if tokenizer.chat_template is None:
        # The line's end keeps the last word of the prompt from growing into the answer.
        return f"{text}\n"
    messages = [{"role": "user", "content": text}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def tokenize_prompt(
    tokenizer: PreTrainedTokenizerBase, text: str, limit: int | None = None
) -> list[int]:
    """Token ids of the prompt; of a text that is too long the end is left out.

    Never the template around it: without its last tokens the model would go on with the question.
    """
    ids = _ids(tokenizer, build_prompt(tokenizer, text))
    if limit is None or len(ids) <= limit:
        return ids
    frame = len(_ids(tokenizer, build_prompt(tokenizer, "")))
    kept = tokenizer(text, add_special_tokens=False)["input_ids"][: max(0, limit - frame)]
    shorter = str(tokenizer.decode(kept))
    # Text that was cut inside a character may give a token more when it is read again.
    return _ids(tokenizer, build_prompt(tokenizer, shorter))[-limit:]


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text)["input_ids"])


@torch.no_grad()
def complete(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    stop_at_line_end: bool,
) -> list[tuple[str, float]]:
    """Each prompt's answer, and the geometric mean of its tokens' probabilities (0 to 1)."""
    confidence = _Confidence()
    answers = _generate(
        model,
        tokenizer,
        prompts,
        stop_at_line_end,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        logits_processor=LogitsProcessorList([confidence]),
    )
    steps_BT = torch.stack(confidence.steps, dim=1)
    return [
        (
            read_answer(tokenizer, ids, stop_at_line_end=stop_at_line_end),
            float(steps_T[: len(ids)].mean().exp()),
        )
        for ids, steps_T in zip(answers, steps_BT, strict=True)
    ]


@torch.no_grad()
def sample(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    stop_at_line_end: bool,
    temperature: float,
    count: int,
) -> list[list[int]]:
    """Tokens of so many random answers to each prompt, those of one prompt side by side."""
    return _generate(
        model,
        tokenizer,
        prompts,
        stop_at_line_end,
        max_new_tokens=max_new_tokens,
        do_sample=True,
        # Every token is possible: an answer's probability is that of the model.
        top_k=0,
        top_p=1.0,
        temperature=temperature,
        num_return_sequences=count,
    )


def read_answer(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], *, stop_at_line_end: bool
) -> str:
    """The answer that these tokens are."""
    text = str(tokenizer.decode(list(ids), skip_special_tokens=True)).strip()
    return text.split("\n", 1)[0].strip() if stop_at_line_end else text


def _generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    stop_at_line_end: bool,
    **how: object,
) -> list[list[int]]:
    """New tokens of each answer: with the one that ended it, without the padding behind it."""
    ids_BT, mask_BT = pad_left(prompts, int(cast("int", tokenizer.pad_token_id)))
    start = ids_BT.shape[1]
    ends = _AnswerEnds(tokenizer, start, read_end_tokens(model, tokenizer), stop_at_line_end)
    generate = cast("Callable[..., Tensor]", model.generate)
    output_BT = generate(
        input_ids=ids_BT.to(model.device),
        attention_mask=mask_BT.to(model.device),
        stopping_criteria=StoppingCriteriaList([ends]),
        **how,
    )
    new = [row.tolist() for row in output_BT[:, start:]]
    return [ids[: ends.lengths.get(row, len(ids))] for row, ids in enumerate(new)]


def pad_left(rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Token ids [B, T] that end at the last position, and their mask [B, T]."""
    longest = max(len(row) for row in rows)
    ids_BT = torch.tensor([[padding] * (longest - len(row)) + list(row) for row in rows])
    lengths_B = torch.tensor([len(row) for row in rows])
    mask_BT = (torch.arange(longest) >= (longest - lengths_B)[:, None]).long()
    return ids_BT, mask_BT


class _Confidence(LogitsProcessor):
    """Keeps the log-probability of the likeliest token of each step; changes nothing."""

    def __init__(self) -> None:
        self.steps: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.steps.append(scores.float().log_softmax(-1).amax(-1))
        return scores


class _AnswerEnds(StoppingCriteria):
    """Ends a row at an end token, or at the end of its first line that says something."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, start: int, ends: set[int], at_line_end: bool
    ) -> None:
        self.lengths: dict[int, int] = {}
        self._tokenizer = tokenizer
        self._start = start
        self._ends = ends
        self._at_line_end = at_line_end

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: object) -> Tensor:
        length = input_ids.shape[1] - self._start
        for row, ids in enumerate(input_ids):
            if row not in self.lengths and self._is_over(ids[self._start :]):
                self.lengths[row] = length
        return torch.tensor(
            [row in self.lengths for row in range(len(input_ids))], device=input_ids.device
        )

    def _is_over(self, new_T: Tensor) -> bool:
        if int(new_T[-1]) in self._ends:
            return True
        return self._at_line_end and "\n" in str(self._tokenizer.decode(new_T)).lstrip()
