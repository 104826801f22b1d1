from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer, RobertaConfig, RobertaModel

from archon_inference.card import Features
from archon_inference.encoder import BATCH, TextEncoder, length_batches
from archon_inference.encoding.packed_layers import is_packable
from archon_inference.errors import ModelFolderInvalid
from tests.support.training.tiny_models import tiny_causal_model, tiny_encoder

TEXTS = ["will it rain in oslo", "play a song", "area of the triangle please", "hotel"]


def _whole_model(folder: Path) -> torch.Tensor:
    """Mean-pooled vectors the plain way, one text at a time."""
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        outputs = [model(**tokenizer(text, return_tensors="pt")) for text in TEXTS]
    return torch.stack([output.last_hidden_state[0].mean(0) for output in outputs])


@pytest.mark.parametrize("frozen_layers", [0, 1, 3])
def test_an_encoder_cut_anywhere_gives_what_the_whole_one_gives(
    tmp_path: Path, frozen_layers: int
) -> None:
    folder = tiny_encoder(tmp_path)

    vectors = TextEncoder.load(folder, frozen_layers).embed(TEXTS, 32)

    torch.testing.assert_close(vectors, _whole_model(folder), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("frozen_layers", [0, 1, 3])
@pytest.mark.parametrize("features", ["pooled", "layers"])
def test_vectors_for_answers_are_those_of_the_padded_way(
    tmp_path: Path, frozen_layers: int, features: Features
) -> None:
    encoder = TextEncoder.load(tiny_encoder(tmp_path), frozen_layers)
    texts = [*TEXTS, "", *(f"{'play a song ' * n}please" for n in range(BATCH))]

    found = encoder.embed_for_answers(texts, 32, features)

    expected = encoder.embed(texts, 32, features)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_vectors_for_answers_of_another_architecture_are_padded(tmp_path: Path) -> None:
    encoder = TextEncoder.load(_roberta(tmp_path), 1)

    found = encoder.embed_for_answers(TEXTS, 32)

    assert not is_packable(encoder.lower)
    torch.testing.assert_close(found, encoder.embed(TEXTS, 32))


def test_vectors_for_answers_are_computed_without_dropout(tmp_path: Path) -> None:
    encoder = TextEncoder.load(tiny_encoder(tmp_path), 1)
    encoder.upper.train()

    first = encoder.embed_for_answers(TEXTS, 32)

    torch.testing.assert_close(encoder.embed_for_answers(TEXTS, 32), first)
    assert encoder.embed_for_answers([], 32).shape == (0, encoder.hidden_size)


def _roberta(folder: Path) -> Path:
    """A tiny relative of BERT, whose positions begin elsewhere, with the vocabulary of `TEXTS`."""
    tiny_encoder(folder)
    vocabulary = len(AutoTokenizer.from_pretrained(folder))
    config = RobertaConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    RobertaModel(config).save_pretrained(folder)
    return folder


def test_a_saved_encoder_is_an_ordinary_one_with_the_same_answers(tmp_path: Path) -> None:
    encoder = TextEncoder.load(tiny_encoder(tmp_path / "base"), 2)

    encoder.save(tmp_path / "saved")

    again = TextEncoder.load(tmp_path / "saved", 1)
    torch.testing.assert_close(again.embed(TEXTS, 32), encoder.embed(TEXTS, 32))
    torch.testing.assert_close(_whole_model(tmp_path / "saved"), encoder.embed(TEXTS, 32))


def test_texts_are_cut_at_the_asked_length(tmp_path: Path) -> None:
    encoder = TextEncoder.load(tiny_encoder(tmp_path), 1)

    ids = encoder.tokenize(["rain " * 100_000, "rain"], 8)

    assert [len(row) for row in ids] == [8, 3]


def test_versions_share_a_digest_when_only_upper_layers_differ(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path / "a")
    one, other = TextEncoder.load(folder, 2), TextEncoder.load(folder, 2)
    with torch.no_grad():
        next(other.upper.parameters()).add_(1)
    stranger = TextEncoder.load(tiny_encoder(tmp_path / "b", seed=1), 2)

    assert one.lower_digest() == other.lower_digest() != stranger.lower_digest()


def test_freezing_every_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderInvalid, match="4 frozen layers leave none of 4"):
        TextEncoder.load(tiny_encoder(tmp_path), 4)


def test_a_model_without_encoder_layers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderInvalid, match="no BERT-like encoder"):
        TextEncoder.load(tiny_causal_model(tmp_path), 1)


def test_batches_hold_each_row_once_and_grow_in_length() -> None:
    lengths = [5, 1, 9, 3, 7]

    batches = list(length_batches(lengths, size=2))

    assert batches == [[1, 3], [0, 4], [2]]


def test_features_of_two_layers_are_unit_means_of_the_highest_frozen_and_the_last(
    tmp_path: Path,
) -> None:
    encoder = TextEncoder.load(tiny_encoder(tmp_path), 2)
    ids = encoder.tokenize(TEXTS, 32)
    lower = torch.stack([state.mean(0) for state in encoder.compute_frozen_states(ids)])

    vectors = encoder.embed(TEXTS, 32, "layers")

    assert vectors.shape == (len(TEXTS), encoder.feature_size("layers"))
    first, second = vectors.split(encoder.hidden_size, dim=1)
    torch.testing.assert_close(first, normalize(lower, dim=-1), atol=1e-5, rtol=1e-4)
    expected = normalize(encoder.embed(TEXTS, 32), dim=-1)
    torch.testing.assert_close(second, expected, atol=1e-5, rtol=1e-4)
