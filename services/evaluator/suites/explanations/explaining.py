"""Explanations of a classifier's or selector's answers. torch is imported here."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from archon_contracts.formats import AnswerExplanation
from archon_inference.classifier import Classifier
from archon_inference.encoding.packed_layers import TokenRows, embed_tokens, is_packable
from archon_inference.selector import Selector
from services.evaluator.suites.explanations.attributions import integrate_gradients
from services.evaluator.suites.explanations.rollout import roll_out_attention

LONGEST: Final = 48
"""Tokens: a longer text's map fits no page, and its integral takes seconds."""
DIGITS: Final = 4


def explain_answer(
    model: Classifier | Selector, case_id: str, text: str, output: str
) -> AnswerExplanation | None:
    """What an answer to a text rests on.

    None: the encoder is no BERT on the CPU in float32, the text is too long, or the model cannot
    give the answer.
    """
    encoder = model.encoder
    if not is_packable(encoder.lower) or encoder.lower.dtype is not torch.float32:
        return None
    (ids,) = encoder.tokenize([text], model.card.max_length)
    if not 2 < len(ids) <= LONGEST or output not in model.answers:
        return None
    place, encoder = model.answers.index(output), model.encoder
    encoder.upper.eval()

    def logit(states_NH: Tensor) -> Tensor:
        rows = TokenRows.of([len(ids)] * (len(states_NH) // len(ids)))
        return model.logits(encoder.pool_embedded(states_NH, rows, model.features))[:, place]

    with torch.no_grad():
        embedded_TH = embed_tokens(encoder.lower, [ids], TokenRows.of([len(ids)]))
        masked_TH = embed_tokens(encoder.lower, [_mask(model, ids)], TokenRows.of([len(ids)]))
    added_T, difference = integrate_gradients(logit, embedded_TH, masked_TH)
    rollout_TT = roll_out_attention(encoder.layers(), embedded_TH)
    return AnswerExplanation(
        id=case_id,
        output=output,
        tokens=tuple(encoder.tokenizer.convert_ids_to_tokens(ids)),
        attributions=tuple(round(float(each), DIGITS) for each in added_T),
        logit_difference=difference,
        unexplained=difference - float(added_T.sum()),
        attention=tuple(
            tuple(round(float(each), DIGITS) for each in row) for row in rollout_TT.tolist()
        ),
    )


def _mask(model: Classifier | Selector, ids: list[int]) -> list[int]:
    """The text without a word: its first and last token are special, and stay."""
    tokenizer = model.encoder.tokenizer
    mask = tokenizer.mask_token_id
    inner = mask if mask is not None else tokenizer.pad_token_id or 0
    return [ids[0], *[int(inner)] * (len(ids) - 2), ids[-1]]
