"""Items as token ids: a prompt as it is asked when the model serves, then the answer and its end.

The prompt is tokenised by itself, as at inference: tokenised together with the answer, tokens could
merge over the border, and the model would learn to go on from a prompt that it never sees.

Shape suffixes: B items, T tokens, K tokens of the longest answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from archon_inference.generation.decoding import pad_left, tokenize_prompt
from services.trainer.errors import EmptyDataset
from services.trainer.items import TrainingItem
from shared.logging import get_logger

log = get_logger(__name__)

NAMED = 20  # a log line of more is not read
IGNORED = -100
"""Label of a position without a loss, as in torch's cross-entropy."""


@dataclass(frozen=True, slots=True)
class Example:
    """An item's tokens, of which the last `answer` are learnt."""

    ids: list[int]
    answer: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Examples:
    """The items that fit, with their tokens, and how many do not."""

    items: Sequence[TrainingItem]
    rows: Sequence[Example]
    too_long: int = 0


def tokenize_answer(tokenizer: PreTrainedTokenizerBase, answer: str) -> list[int]:
    """The answer's tokens and the end token, which is learnt like the rest."""
    ids: list[int] = list(tokenizer(answer, add_special_tokens=False)["input_ids"])
    return [*ids, int(tokenizer.eos_token_id)]


def build_examples(
    items: Sequence[TrainingItem], tokenizer: PreTrainedTokenizerBase, longest: int
) -> Examples:
    """Prompt and answer of each item that fits; see `select_fitting`.

    Raises:
        EmptyDataset: none is left.
    """
    found = select_fitting(items, tokenizer, longest)
    if not found.rows:
        raise EmptyDataset(
            f"All {len(items)} items are longer than {longest} tokens, "
            f"{items[0].id!r} among them: shorten them, or raise max_length"
        )
    return found


def select_fitting(
    items: Sequence[TrainingItem], tokenizer: PreTrainedTokenizerBase, longest: int
) -> Examples:
    """Prompt and answer of each item that is no longer than the limit.

    The others are left out by name: cut, a long prompt has no answer to learn, and a cut answer
    teaches to break off.
    """
    kept, rows, too_long = [], [], []
    for item in items:
        prompt = tokenize_prompt(tokenizer, item.input)
        answer = tokenize_answer(tokenizer, item.target)
        if len(prompt) + len(answer) > longest:
            too_long.append(item.id)
        else:
            kept.append(item)
            rows.append(Example([*prompt, *answer], len(answer), item.weight))
    if too_long:
        log.warning("items_too_long", count=len(too_long), ids=too_long[:NAMED], max_length=longest)
    return Examples(kept, rows, len(too_long))


@dataclass(frozen=True, slots=True)
class ExampleCollator:
    """Turns row numbers into a batch that ends with the answers.

    Padded on the left, all answers lie in the last positions, and logits are computed there alone:
    on a small model with a large vocabulary they are a quarter of the work.
    """

    rows: Sequence[Example]
    padding: int

    def __call__(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """input_ids [B, T], attention_mask [B, T], labels [B, K] and weights [B]."""
        rows = [self.rows[number] for number in numbers]
        ids_BT, mask_BT = pad_left([row.ids for row in rows], self.padding)
        longest = max(row.answer for row in rows)
        answers_B = torch.tensor([row.answer for row in rows])
        is_answer_BK = torch.arange(longest) >= (longest - answers_B)[:, None]
        # By position, never by the padding's id: it may be that of the end token.
        labels_BK = ids_BT[:, -longest:].masked_fill(~is_answer_BK, IGNORED)
        return {
            "input_ids": ids_BT,
            "attention_mask": mask_BT,
            "labels": labels_BK,
            "weights": torch.tensor([row.weight for row in rows]),
        }
