"""Tiny random models, made on the spot: the shapes of the real ones at a thousandth of the size."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from archon_inference.card import ModelCard
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder

TEXT = """
    weather rain sunny forecast city oslo paris play song music artist album calculate area
    triangle circle radius number sum find hotel room night book flight ticket seat time get
    the a in of for to what is will it : please me my
"""
WORDS = TEXT.split()
LABELS = ("a", "b")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<s>", "</s>"]


def tiny_encoder(folder: Path, *, seed: int = 0) -> Path:
    """A BERT of four layers and 16 hidden units; its dropout is on."""
    torch.manual_seed(seed)
    tokenizer = _tokenizer(cls_token="[CLS]", sep_token="[SEP]")
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", SPECIAL.index("[CLS]")), ("[SEP]", SPECIAL.index("[SEP]"))],
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_causal_model(folder: Path, *, seed: int = 0, spread: float = 0.02) -> Path:
    """A Llama of two layers and 16 hidden units.

    With the usual `spread` of its weights no answer gets far from chance, as the output layer is
    not trained; with a large one an adapter learns in a few steps to be certain.
    """
    torch.manual_seed(seed)
    tokenizer = _tokenizer(bos_token="<s>", eos_token="</s>")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        initializer_range=spread,
        intermediate_size=32,
        max_position_embeddings=128,
        bos_token_id=SPECIAL.index("<s>"),
        eos_token_id=SPECIAL.index("</s>"),
        pad_token_id=SPECIAL.index("[PAD]"),
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(**special: str) -> PreTrainedTokenizerFast:
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", **special
    )


def stubborn_classifier(root: Path, answer: str = "a") -> Path:
    """The folder of a model that gives this answer to everything, with confidence."""
    encoder = TextEncoder.load(tiny_encoder(root / "base"), 1)
    card = ModelCard(
        kind="classifier", base_model="pypi:x", max_length=16, frozen_layers=1, labels=LABELS
    )
    head = nn.Linear(16, len(LABELS))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    head.bias.data[LABELS.index(answer)] = 3.0
    Classifier(encoder, card, head).save(root / "model")
    return root / "model"
