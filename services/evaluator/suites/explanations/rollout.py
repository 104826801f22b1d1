"""Attention rollout: which tokens of a text each token has read, through all layers.

Source: S. Abnar and W. Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020
(arXiv:2005.00928), section 3: the mean attention of a layer's heads, half of it the token itself
for the residual connection, multiplied over the layers. torch is imported here: children and the
CLI.

Shape suffixes: T tokens of one text, H hidden units, A heads, D units of a head.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from archon_inference.encoding.packed_layers import TokenRows, run_layers


@torch.no_grad()
def roll_out_attention(layers: Iterable[nn.Module], states_TH: Tensor) -> Tensor:
    """How much of each token (column) is in each token's vector (row) [T, T]; rows sum to 1.

    `layers` are those of a BERT encoder, `states_TH` the embeddings of one text.
    """
    tokens = len(states_TH)
    rows, identity_TT = TokenRows.of([tokens]), torch.eye(tokens)
    rollout_TT = identity_TT
    for layer in layers:
        attention_TT = _compute_attention(layer.get_submodule("attention.self"), states_TH)
        rollout_TT = (attention_TT + identity_TT) / 2 @ rollout_TT
        states_TH = run_layers([layer], states_TH, rows)
    return rollout_TT


def _compute_attention(attention: nn.Module, states_TH: Tensor) -> Tensor:
    """The mean over the heads of one layer's attention [T, T]."""
    heads = int(attention.num_attention_heads)  # type: ignore[arg-type]  # of untyped modules
    query_ATD, key_ATD = (
        attention.get_submodule(name)(states_TH).view(len(states_TH), heads, -1).transpose(0, 1)
        for name in ("query", "key")
    )
    scores_ATT = query_ATD @ key_ATD.transpose(1, 2) / math.sqrt(query_ATD.shape[-1])
    attention_TT: Tensor = scores_ATT.float().softmax(dim=-1).mean(0)
    return attention_TT
