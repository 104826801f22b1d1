"""A BERT-like text encoder, cut in two so that its frozen part need run only once per text.

Shape suffixes: B texts in a batch, T tokens, H hidden units, N texts in all.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from archon_inference.card import Features
from archon_inference.devices import Precision
from archon_inference.encoding.packed_layers import TokenRows, embed_tokens, is_packable, run_layers
from archon_inference.errors import ModelFolderInvalid
from archon_inference.model_files import (
    HEAD_FILE,
    SAFE_LOADING_OPTIONS,
    WEIGHTS_FILE,
    quiet_loading,
)

BATCH = 64


class _StatesPassThrough(nn.Module):
    """Stands in for the embeddings of the upper half, whose input is hidden states already."""

    def forward(self, inputs_embeds: Tensor, **_: object) -> Tensor:
        return inputs_embeds


class UpperLayers(nn.Module):
    """The trainable layers: hidden states in, one mean-pooled vector per text out."""

    def __init__(self, shell: PreTrainedModel) -> None:
        super().__init__()
        self.shell = shell

    def forward(self, states_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        """Vectors [B, H]: the mean over a text's own tokens, padding left out."""
        output_BTH: Tensor = self.shell(
            inputs_embeds=states_BTH, attention_mask=mask_BT
        ).last_hidden_state
        return mean_over_tokens(output_BTH, mask_BT)


@dataclass(frozen=True)
class TextEncoder:
    """Tokenizer, frozen lower layers (with the embeddings) and upper layers of one encoder.

    The embeddings are always frozen: a few hundred examples touch few of their rows, so training
    them would move some words and leave their neighbours behind.
    """

    tokenizer: PreTrainedTokenizerBase
    lower: PreTrainedModel
    upper: UpperLayers
    frozen_layers: int

    @classmethod
    def load(
        cls,
        folder: Path,
        frozen_layers: int,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> TextEncoder:
        """Load the encoder in `folder` and cut it above its lowest `frozen_layers` layers.

        Raises:
            ModelFolderInvalid: the model has no such layers to cut between.
        """
        dtype = getattr(torch, precision)
        with quiet_loading():
            model = AutoModel.from_pretrained(
                folder, dtype=dtype, use_safetensors=True, **SAFE_LOADING_OPTIONS
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, **SAFE_LOADING_OPTIONS)
        lower, upper = _split_layers(model, frozen_layers)
        nn.Module.to(lower, device)  # in place; the library's own `to` has no types
        return cls(tokenizer, lower, UpperLayers(upper).to(device), frozen_layers)

    @property
    def device(self) -> torch.device:
        """Where both halves are, and the states between them."""
        return self.lower.device

    @property
    def hidden_size(self) -> int:
        """Units of a pooled vector (H)."""
        return int(self.lower.config.hidden_size)

    def feature_size(self, features: Features) -> int:
        """Units of a vector of these features."""
        return self.hidden_size * (2 if features == "layers" else 1)

    @property
    def longest(self) -> int:
        """Most tokens of a text that the model can read."""
        # A tokenizer that knows no limit names an enormous number.
        positions = int(getattr(self.lower.config, "max_position_embeddings", 512))
        return min(int(self.tokenizer.model_max_length), positions)

    def tokenize(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut at `max_length`."""
        if not texts:
            return []
        # Long pastes are cut before they are tokenized: no token is shorter than one character,
        # and none of the encoders we know has words of over 32.
        cut = [text[: max_length * 32] for text in texts]
        encoded = self.tokenizer(cut, truncation=True, max_length=max_length)
        return [list(ids) for ids in encoded["input_ids"]]

    @torch.no_grad()
    def compute_frozen_states(self, ids: Sequence[Sequence[int]]) -> list[Tensor]:
        """What the frozen layers make of each text: [T, H] each, without padding."""
        states: list[Tensor] = [torch.empty(0)] * len(ids)
        for rows in length_batches([len(row) for row in ids]):
            ids_BT, mask_BT = _pad_ids([ids[row] for row in rows], self.device)
            output_BTH = self.lower(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
            for place, row in enumerate(rows):
                # A copy: a view would keep the padded output of its whole batch in memory.
                states[row] = output_BTH[place, : len(ids[row])].clone()
        return states

    @torch.no_grad()
    def pool_states(self, states: Sequence[Tensor], features: Features = "pooled") -> Tensor:
        """Vectors [N, H] of texts that went through the lower layers; dropout is off.

        "pooled" is the mean over the tokens of the last layer. "layers" is two vectors of length
        one in a row, [N, 2H]: the mean of the highest frozen layer, and that of the last one. A
        middle layer knows words that the last one has merged into the sentence's meaning, and
        reading it costs nothing: its states are the input here.

        In float32 whatever the encoder computes in: cosines and logits are compared closely.
        """
        self.upper.eval()
        vectors_NH = torch.empty(len(states), self.feature_size(features), device=self.device)
        for rows in length_batches([len(state) for state in states]):
            states_BTH, mask_BT = pad_states([states[row] for row in rows])
            pooled_BH = self.upper(states_BTH, mask_BT).float()
            if features == "layers":
                lower_BH = mean_over_tokens(states_BTH.float(), mask_BT)
                pooled_BH = _join_layers(lower_BH, pooled_BH)
            vectors_NH[rows] = pooled_BH
        return vectors_NH

    def embed(self, texts: Sequence[str], max_length: int, features: Features = "pooled") -> Tensor:
        """Vectors [N, H] of `texts`."""
        states = self.compute_frozen_states(self.tokenize(texts, max_length))
        return self.pool_states(states, features)

    @torch.inference_mode()
    def embed_for_answers(
        self, texts: Sequence[str], max_length: int, features: Features = "pooled"
    ) -> Tensor:
        """What `embed` gives, but for rounding, and sooner where the encoder allows it.

        For answers alone: autograd cannot read tensors of the inference mode.
        """
        if not is_packable(self.lower):
            return self.embed(texts, max_length, features)
        self.upper.eval()
        ids = self.tokenize(texts, max_length)
        vectors_NH = torch.empty(len(ids), self.feature_size(features))
        for places in length_batches([len(each) for each in ids]):
            rows = TokenRows.of([len(ids[place]) for place in places])
            states = embed_tokens(self.lower, [ids[place] for place in places], rows)
            vectors_NH[places] = self.pool_embedded(states, rows, features)
        return vectors_NH

    def pool_embedded(self, states: Tensor, rows: TokenRows, features: Features) -> Tensor:
        """Vectors of the texts whose embeddings stand in `states`, token by token; for a BERT
        encoder on the CPU in evaluation mode. Gradients pass."""
        lower = run_layers(_layers_of(self.lower), states, rows)
        pooled_BH = rows.average(run_layers(_layers_of(self.upper.shell), lower, rows))
        return _join_layers(rows.average(lower), pooled_BH) if features == "layers" else pooled_BH

    def layers(self) -> Iterator[nn.Module]:
        """All layers, the lowest first."""
        yield from _layers_of(self.lower)
        yield from _layers_of(self.upper.shell)

    def lower_digest(self) -> str:
        """Equal for encoders whose vocabulary and frozen part give the same states."""
        # The vocabulary too: with other token ids the same weights give other states.
        words = sorted(self.tokenizer.get_vocab().items())
        digest = hashlib.sha256(repr(words).encode())
        for name, tensor in sorted(self.lower.state_dict().items()):
            digest.update(name.encode())
            # As bytes: numpy has no bfloat16.
            digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write weights, config and tokenizer as one ordinary encoder again."""
        weights = dict(self.lower.state_dict())
        for name, tensor in self.upper.shell.state_dict().items():
            weights[_shift_layer(name, self.frozen_layers)] = tensor
        folder.mkdir(parents=True, exist_ok=True)
        save_file(weights, folder / WEIGHTS_FILE, metadata={"format": "pt"})
        self.lower.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def load_head(folder: Path, encoder: TextEncoder, features: Features, answers: int) -> nn.Linear:
    """The head in `folder`, one row for each answer, on the encoder's device.

    Raises:
        ModelFolderInvalid: it is missing, or not for so many answers and these features.
    """
    head = nn.Linear(encoder.feature_size(features), answers)
    try:
        head.load_state_dict(load_file(folder / HEAD_FILE))
    except (FileNotFoundError, SafetensorError, RuntimeError) as error:
        raise ModelFolderInvalid(f"{folder} has no head for its answers: {error}") from error
    # The head stays in float32: pooled vectors are, whatever the encoder computes in.
    return head.to(encoder.device)


def mean_over_tokens(states_BTH: Tensor, mask_BT: Tensor) -> Tensor:
    """The mean [B, H] over a text's own tokens, padding left out."""
    weight_BT1 = mask_BT.unsqueeze(-1).to(states_BTH.dtype)
    # Never divided by zero: each text has at least its special tokens.
    return (states_BTH * weight_BT1).sum(1) / weight_BT1.sum(1)


def _join_layers(lower_BH: Tensor, upper_BH: Tensor) -> Tensor:
    """Two vectors of length one in a row [B, 2H]."""
    return torch.cat([normalize(lower_BH, dim=-1), normalize(upper_BH, dim=-1)], dim=-1)


def _layers_of(half: PreTrainedModel) -> Iterator[nn.Module]:
    return half.get_submodule("encoder.layer").children()


def length_batches(lengths: Sequence[int], size: int = BATCH) -> Iterator[list[int]]:
    """Row numbers in batches of similar length, so that little is padded."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for start in range(0, len(order), size):
        yield order[start : start + size]


def pad_states(states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Hidden states [B, T, H] with zeros behind the shorter texts, and their mask [B, T]."""
    states_BTH = nn.utils.rnn.pad_sequence(list(states), batch_first=True)
    mask_BT = _build_mask([len(state) for state in states])
    return states_BTH, mask_BT.to(states_BTH.device)


def _pad_ids(ids: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    # What stands under the mask does not matter, so the padding id need not be known.
    rows = [torch.tensor(row) for row in ids]
    ids_BT = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return ids_BT.to(device), _build_mask([len(row) for row in ids]).to(device)


def _build_mask(lengths: Sequence[int]) -> Tensor:
    """One for a text's own tokens, zero behind them [B, T]; made on the CPU, to be moved once."""
    lengths_B = torch.tensor(lengths)
    return (torch.arange(max(lengths)) < lengths_B[:, None]).long()


def _split_layers(
    model: PreTrainedModel, frozen_layers: int
) -> tuple[PreTrainedModel, PreTrainedModel]:
    """Two models that share no weights: embeddings with the lowest layers, and the rest."""
    try:
        embeddings = model.get_submodule("embeddings")
        encoder, layers = model.get_submodule("encoder"), model.get_submodule("encoder.layer")
    except AttributeError as error:
        raise ModelFolderInvalid(f"{type(model).__name__} is no BERT-like encoder") from error
    blocks = list(layers.children())
    if frozen_layers >= len(blocks):
        raise ModelFolderInvalid(f"{frozen_layers} frozen layers leave none of {len(blocks)}")
    # Its weights served the pretraining; vectors here are means over the tokens.
    model.register_module("pooler", None)
    # The copy is made of the empty shell, so that no weight is ever held twice.
    encoder.layer, model.embeddings = nn.ModuleList(), _StatesPassThrough()
    upper = copy.deepcopy(model)
    upper.get_submodule("encoder").layer = nn.ModuleList(blocks[frozen_layers:])
    encoder.layer, model.embeddings = nn.ModuleList(blocks[:frozen_layers]), embeddings
    model.requires_grad_(False).train(False)
    return model, upper


def _shift_layer(name: str, by: int) -> str:
    """The name of an upper-half weight in the whole model: `encoder.layer.0.x` -> `.3.x`."""
    head, _, rest = name.partition("encoder.layer.")
    number, _, tail = rest.partition(".")
    return f"{head}encoder.layer.{int(number) + by}.{tail}"
