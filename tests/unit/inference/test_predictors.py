import json
import math
from pathlib import Path

import pytest
from torch import nn

from archon_inference import Predictor, load_predictor
from archon_inference.card import ModelCard, write_card
from archon_inference.catalogue import Tool
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder
from archon_inference.errors import ModelFolderInvalid
from archon_inference.selector import EmbeddedCatalogue, Selector, embed_tools
from tests.support.training.tiny_models import tiny_causal_model, tiny_encoder
from tests.support.training.training_runs import TOOLS

QUESTIONS = ["will it rain in oslo", "play a song", "hotel", "area of the triangle please"]


def _selector(root: Path) -> Path:
    encoder = TextEncoder.load(tiny_encoder(root / "base"), 2)
    tools = tuple(Tool(tool["name"], tool["description"]) for tool in TOOLS)
    card = ModelCard(kind="selector", base_model="pypi:x", max_length=16, frozen_layers=2)
    catalogue = EmbeddedCatalogue(tools, embed_tools(encoder, tools, 16))
    Selector(encoder, card, catalogue).save(root / "model")
    return root / "model"


def _classifier(root: Path) -> Path:
    encoder = TextEncoder.load(tiny_encoder(root / "base"), 1)
    card = ModelCard(
        kind="classifier", base_model="pypi:x", max_length=16, frozen_layers=1, labels=("a", "b")
    )
    Classifier(encoder, card, nn.Linear(16, 2)).save(root / "model")
    return root / "model"


def _generator(root: Path) -> Path:
    folder = tiny_causal_model(root / "model")
    write_card(
        folder, ModelCard(kind="generator", base_model="pypi:x", max_length=16, max_new_tokens=3)
    )
    return folder


@pytest.fixture(params=[_selector, _classifier, _generator])
def predictor(request: pytest.FixtureRequest, tmp_path: Path) -> Predictor:
    return load_predictor(request.param(tmp_path))


def test_answers_do_not_depend_on_what_else_is_asked(predictor: Predictor) -> None:
    together = predictor.predict(QUESTIONS)

    alone = [predictor.predict([question])[0] for question in QUESTIONS]

    assert [answer.output for answer in together] == [answer.output for answer in alone]
    for one, other in zip(together, alone, strict=True):
        assert math.isclose(one.score, other.score, rel_tol=1e-4)


def test_nothing_asked_is_nothing_answered(predictor: Predictor) -> None:
    assert predictor.predict([]) == []


def test_a_score_is_a_share(predictor: Predictor) -> None:
    assert all(0 < answer.score <= 1 for answer in predictor.predict(QUESTIONS))


@pytest.mark.parametrize(("k", "others"), [(1, 0), (2, 1), (99, 3)])
def test_a_selector_names_as_many_tools_as_asked_each_once(
    tmp_path: Path, k: int, others: int
) -> None:
    (answer,) = load_predictor(_selector(tmp_path)).predict(["rain"], k=k)

    assert len(answer.alternatives) == others
    assert len({answer.output, *answer.alternatives}) == others + 1


def test_a_folder_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    folder = _selector(tmp_path)
    (folder / "model.safetensors").unlink()

    with pytest.raises(ModelFolderInvalid, match=r"lacks model\.safetensors"):
        load_predictor(folder)


def test_a_catalogue_that_grew_without_its_embeddings_is_refused(tmp_path: Path) -> None:
    folder = _selector(tmp_path)
    rows = [*TOOLS, {"name": "new", "description": "not embedded"}]
    (folder / "catalogue.json").write_text(json.dumps(rows))

    with pytest.raises(ModelFolderInvalid, match="5 tools but 4 embeddings"):
        load_predictor(folder)


def test_a_head_of_other_labels_is_refused(tmp_path: Path) -> None:
    folder = _classifier(tmp_path)
    card = (folder / "archon.json").read_text().replace('"b"', '"b", "c"')
    (folder / "archon.json").write_text(card)

    with pytest.raises(ModelFolderInvalid, match="no head for its answers"):
        load_predictor(folder)
