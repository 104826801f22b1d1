"""Token attributions and attention maps, beside a library's own attention and known integrals."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from archon_inference.classifier import Classifier
from archon_inference.encoding.packed_layers import TokenRows, embed_tokens
from archon_inference.loading import load_predictor
from archon_inference.selector import Selector
from services.evaluator.suites.explanations.attributions import integrate_gradients
from services.evaluator.suites.explanations.explaining import LONGEST, explain_answer
from services.evaluator.suites.explanations.rollout import roll_out_attention
from services.trainer.child import run as train
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import run_spec

TEXT = "book a hotel in paris"


def _trained(root: Path, kind: str) -> Classifier | Selector:
    spec = run_spec(root, tiny_encoder(root / "base"), kind=kind, epochs=8)
    model = load_predictor(Path(train(spec, lambda event: None)["model_dir"]), threads=1)
    assert isinstance(model, Classifier | Selector)
    return model


def test_integrated_gradients_of_a_polynomial_are_exact() -> None:
    """Of x0^2 + 3 x1 from (0, 0) to (2, 1): 4 and 3."""

    def logit(states: torch.Tensor) -> torch.Tensor:
        first, second = states.view(-1, 2, 1).unbind(1)
        return (first.square() + 3 * second)[:, 0]

    added, difference = integrate_gradients(logit, torch.tensor([[2.0], [1.0]]), torch.zeros(2, 1))

    assert added.tolist() == pytest.approx([4.0, 3.0], abs=1e-4)
    assert difference == pytest.approx(7.0)


@pytest.mark.parametrize("kind", ["classifier", "selector"])
def test_attributions_sum_to_the_difference_of_the_logits(tmp_path: Path, kind: str) -> None:
    model = _trained(tmp_path, kind)
    output = model.predict([TEXT])[0].output

    found = explain_answer(model, "c1", TEXT, output)

    assert found is not None
    assert (found.id, found.output) == ("c1", output)
    assert len(found.tokens) == len(found.attributions) == len(found.attention) == 7
    assert (found.tokens[0], found.tokens[-1]) == ("[CLS]", "[SEP]")
    assert any(abs(each) > 0.01 for each in found.attributions)
    assert abs(found.unexplained) < 0.01 * max(1.0, abs(found.logit_difference))
    assert sum(found.attributions) == pytest.approx(
        found.logit_difference - found.unexplained, abs=1e-2
    )


def test_what_stays_as_it_was_adds_nothing(tmp_path: Path) -> None:
    """The special tokens stand in the masked text too."""
    model = _trained(tmp_path, "classifier")

    found = explain_answer(model, "c1", TEXT, model.predict([TEXT])[0].output)

    assert found is not None
    assert (found.attributions[0], found.attributions[-1]) == (0.0, 0.0)


def test_rollout_is_that_of_the_attention_that_the_library_reports(tmp_path: Path) -> None:
    model = _trained(tmp_path, "classifier")
    (ids,) = model.encoder.tokenize([TEXT], 16)
    embedded = embed_tokens(model.encoder.lower, [ids], TokenRows.of([len(ids)]))

    found = roll_out_attention(model.encoder.layers(), embedded)

    model.encoder.save(tmp_path / "whole")
    whole = AutoModel.from_pretrained(tmp_path / "whole", attn_implementation="eager")
    outputs = whole.eval()(torch.tensor([ids]), output_attentions=True)
    expected = torch.eye(len(ids))
    for attention in outputs.attentions:
        expected = (attention[0].mean(0) + torch.eye(len(ids))) / 2 @ expected
    torch.testing.assert_close(found, expected.detach(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.sum(1), torch.ones(len(ids)))


def test_what_cannot_be_explained_is_left_out(tmp_path: Path) -> None:
    model = _trained(tmp_path, "classifier")
    output = model.predict([TEXT])[0].output
    long = model.card.model_copy(update={"max_length": 2 * LONGEST})

    assert explain_answer(model, "c1", TEXT, "no such label") is None
    assert explain_answer(model, "c1", "", output) is None
    wide = Classifier(model.encoder, long, model.head)  # type: ignore[arg-type]  # a classifier
    assert explain_answer(wide, "c1", "paris " * 2 * LONGEST, output) is None
