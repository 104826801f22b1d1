"""The loss of an answer: cross-entropy of its tokens, its end token among them.

Shape suffixes: B items, T tokens, K tokens of the longest answer, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from archon_inference.encoder import length_batches
from services.trainer.recipes.generators.examples import IGNORED, Example, ExampleCollator


def answer_losses(
    model: nn.Module, batch: Mapping[str, Tensor], temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """The summed cross-entropy of each item's answer [nats, B], and its number of tokens [B]."""
    labels_BK, mask_BT = batch["labels"], batch["attention_mask"]
    # What stands under the mask has position 0; attention passes over it.
    positions_BT = (mask_BT.cumsum(-1) - 1).clamp(min=0)
    output: Any = model(
        input_ids=batch["input_ids"],
        attention_mask=mask_BT,
        position_ids=positions_BT,
        use_cache=False,
        # One more: the logits of a position are of the token that follows.
        logits_to_keep=labels_BK.shape[1] + 1,
    )
    logits_BKV = output.logits[:, :-1].float() / temperature
    losses_BK = cross_entropy(
        logits_BKV.transpose(1, 2), labels_BK, ignore_index=IGNORED, reduction="none"
    )
    return losses_BK.sum(-1), (labels_BK != IGNORED).sum(-1)


def weighted_token_mean(losses_B: Tensor, tokens_B: Tensor, weights_B: Tensor) -> Tensor:
    """The loss per token [nats], a token counting as much as its item weighs.

    With equal weights the mean over all tokens of the batch, as in TRL.
    """
    return (losses_B * weights_B).sum() / (tokens_B * weights_B).sum()


@torch.no_grad()
def measure_loss(model: nn.Module, rows: Sequence[Example], padding: int, size: int) -> float:
    """The loss per token of all rows together [nats]; the model is used as it is."""
    collate, total, tokens = ExampleCollator(rows, padding), 0.0, 0
    device = next(model.parameters()).device
    for numbers in length_batches([len(row.ids) for row in rows], size):
        batch = {name: tensor.to(device) for name, tensor in collate(numbers).items()}
        losses_B, tokens_B = answer_losses(model, batch)
        total += float(losses_B.sum())
        tokens += int(tokens_B.sum())
    return total / tokens
