from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from archon_inference.generation.causal_model import load_causal_model
from services.trainer.items import TrainingItem
from services.trainer.recipes.generators.answer_loss import (
    answer_losses,
    measure_loss,
    weighted_token_mean,
)
from services.trainer.recipes.generators.examples import (
    IGNORED,
    ExampleCollator,
    build_examples,
)
from tests.support.training.tiny_models import tiny_causal_model

ITEMS = [
    TrainingItem(id="1", input="will it rain in oslo", target="weather"),
    TrainingItem(id="2", input="play", target="music song of the artist", weight=3.0),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal_model(tmp_path_factory.mktemp("base"))


def test_the_loss_of_an_answer_is_that_of_its_tokens_alone(folder: Path) -> None:
    """Against a forward pass of each item by itself, without padding."""
    model, tokenizer = load_causal_model(folder)
    rows = build_examples(ITEMS, tokenizer, 64).rows

    losses_B, tokens_B = answer_losses(
        model.train(False), ExampleCollator(rows, tokenizer.pad_token_id)(range(2))
    )

    for row, loss, tokens in zip(rows, losses_B, tokens_B, strict=True):
        ids = torch.tensor([row.ids])
        logits = model(ids).logits[0, -row.answer - 1 : -1]
        expected = cross_entropy(logits, ids[0, -row.answer :], reduction="sum")
        assert (loss.item(), tokens.item()) == (
            pytest.approx(expected.item(), rel=1e-4),
            row.answer,
        )


def test_the_end_token_is_learnt_and_padding_is_not_though_they_are_one(folder: Path) -> None:
    _, tokenizer = load_causal_model(folder)
    tokenizer.pad_token = tokenizer.eos_token
    rows = build_examples(ITEMS, tokenizer, 64).rows

    labels_BK = ExampleCollator(rows, tokenizer.pad_token_id)(range(2))["labels"]

    assert (labels_BK[:, -1] == tokenizer.eos_token_id).all()
    assert (labels_BK != IGNORED).sum(-1).tolist() == [2, 6]


def test_a_token_counts_as_much_as_its_item_weighs() -> None:
    losses, tokens, weights = map(torch.tensor, ([2.0, 9.0], [2, 3], [1.0, 3.0]))

    assert weighted_token_mean(losses, tokens, weights).item() == pytest.approx(29 / 11)
    assert weighted_token_mean(losses, tokens, torch.ones(2)).item() == pytest.approx(11 / 5)


def test_the_loss_of_all_rows_does_not_depend_on_the_batches(folder: Path) -> None:
    model, tokenizer = load_causal_model(folder)
    rows = build_examples(ITEMS * 3, tokenizer, 64).rows

    one, all_together = (measure_loss(model.train(False), rows, 0, size) for size in (1, 6))

    assert one == pytest.approx(all_together, rel=1e-5)
