"""BERT layers over texts that stand in a row, without padding.

Texts of one batch differ in length: of CLINC150's, padded to the longest of 32, half of all rows
are padding, and a CPU computes each of them. Only attention looks at a text as a whole; all other
layers see one token at a time, so they read the tokens of all texts as one matrix.

Shape suffixes: B texts, T tokens of the longest text, N tokens of all texts, H hidden units,
I inner units, A heads, D units of a head.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel
from transformers.models.bert.modeling_bert import BertModel


@dataclass(frozen=True)
class TokenRows:
    """Where the tokens of each text stand among the rows."""

    lengths: tuple[int, ...]
    gather_BT: Tensor
    """The row of each token; of a place behind a text's end any row, as it is masked."""
    scatter_N: Tensor
    """The place of each row in a padded batch."""
    mask_B11T: Tensor

    @classmethod
    def of(cls, lengths: Sequence[int]) -> TokenRows:
        """Rows of texts with so many tokens each, one at least."""
        lengths_B = torch.tensor(lengths)
        places_T = torch.arange(max(lengths))
        mask_BT = places_T < lengths_B[:, None]
        starts_B = lengths_B.cumsum(0) - lengths_B
        gather_BT = torch.where(mask_BT, starts_B[:, None] + places_T, 0)
        return cls(
            tuple(lengths), gather_BT, mask_BT.flatten().nonzero()[:, 0], mask_BT[:, None, None]
        )

    @property
    def positions_N(self) -> Tensor:
        """The position of each row in its text."""
        return self.scatter_N % self.gather_BT.shape[1]

    def average(self, states_NH: Tensor) -> Tensor:
        """The mean over each text's tokens [B, H], in float32."""
        texts_N = self.scatter_N // self.gather_BT.shape[1]
        sums_BH = torch.zeros(len(self.lengths), states_NH.shape[1])
        sums_BH.index_add_(0, texts_N, states_NH.float())
        return sums_BH / torch.tensor(self.lengths)[:, None]


def is_packable(model: PreTrainedModel) -> bool:
    """Whether these functions compute what the model does: a BERT encoder on the CPU.

    Its relatives differ in their attention or their positions, a decoder looks back alone; on a GPU
    padding costs little.
    """
    is_encoder = type(model) is BertModel and not model.config.is_decoder
    return is_encoder and model.device.type == "cpu"


def embed_tokens(model: PreTrainedModel, ids: Sequence[Sequence[int]], rows: TokenRows) -> Tensor:
    """The embeddings of all tokens [N, H]."""
    ids_1N = torch.tensor([[token for text in ids for token in text]])
    embeddings = model.get_submodule("embeddings")
    states_1NH: Tensor = embeddings(input_ids=ids_1N, position_ids=rows.positions_N[None])
    return states_1NH[0]


def run_layers(layers: Iterable[nn.Module], states_NH: Tensor, rows: TokenRows) -> Tensor:
    """What the layers make of the tokens [N, H]; modules must be in evaluation mode."""
    for layer in layers:
        attended_NH = _attend(layer.get_submodule("attention.self"), states_NH, rows)
        states_NH = layer.get_submodule("attention.output")(attended_NH, states_NH)
        inner_NI = layer.get_submodule("intermediate")(states_NH)
        states_NH = layer.get_submodule("output")(inner_NI, states_NH)
    return states_NH


def _attend(attention: nn.Module, states_NH: Tensor, rows: TokenRows) -> Tensor:
    heads = int(attention.num_attention_heads)  # type: ignore[arg-type]  # of untyped modules

    def split(name: str) -> Tensor:
        values_NH: Tensor = attention.get_submodule(name)(states_NH)
        values_BTAD = values_NH[rows.gather_BT].view(*rows.gather_BT.shape, heads, -1)
        return values_BTAD.transpose(1, 2)

    attended_BATD = scaled_dot_product_attention(
        split("query"), split("key"), split("value"), attn_mask=rows.mask_B11T
    )
    return attended_BATD.transpose(1, 2).flatten(2).flatten(0, 1)[rows.scatter_N]
