"""Versions as cards and folders of other tools, and back with the digest that they had."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from archon_contracts.formats.manifest import build_manifest, list_files
from deploy.exports.errors import ExchangeError
from deploy.exports.model_card import render_model_card
from deploy.exports.model_folders import (
    read_model_folder,
    write_hugging_face,
    write_mlflow_model,
)
from shared.artifacts.store import ArtifactStore
from tests.support.registry import WHOLE_MODEL


@pytest.fixture
async def model(tmp_path: Path) -> dict[str, Any]:
    """A version whose artifact is in a store."""
    artifact = await ArtifactStore(f"file://{tmp_path}/store").publish_files(WHOLE_MODEL)
    return {
        "agent_id": "picker",
        "version": "1.1.0",
        "status": "deployed",
        "kind": "selector",
        "digest": artifact.digest,
        "uri": artifact.uri,
        "metrics": {"accuracy": {"value": 0.9, "low": 0.85, "high": 0.95, "n": 200}},
        "lineage": {"seed": 7, "base_model": "pypi:m", "config": {"epochs": 3}, "method": "x|y"},
        "registered_at": "2026-03-01T12:00:00Z",
    }


LINEAGE = {
    "feedback_total": 42,
    "ancestors": [{"version": "1.1.0", "status": "deployed", "digest": "ab" * 32}],
}


async def test_a_card_says_where_a_version_comes_from_and_how_good_it_is(
    model: dict[str, Any],
) -> None:
    page = render_model_card(model, LINEAGE)

    _, front, body = page.split("---\n", 2)
    fields = yaml.safe_load(front)
    assert (fields["base_model"], fields["archon_digest"]) == ("pypi:m", model["digest"])
    assert "| accuracy | 0.900 | 0.850 to 0.950 | 200 |" in body
    assert "| feedback events | 42 |" in body
    assert "| method | x\\|y |" in body
    assert "| job | not known |" in body


async def test_a_version_that_little_is_known_of_has_a_card_too(model: dict[str, Any]) -> None:
    bare = {"agent_id": "a", "version": "1.0.0", "status": "ready", "digest": "", "metrics": {}}

    assert "It was not evaluated by the gate." in render_model_card(bare, {})


async def test_a_hugging_face_folder_holds_the_files_and_the_card(
    model: dict[str, Any], tmp_path: Path
) -> None:
    folder = write_hugging_face(model, "a card", tmp_path / "out")

    names = {path.name for path in folder.iterdir()}
    assert names == {*WHOLE_MODEL, "README.md", "archon_version.json"}
    assert (folder / "README.md").read_text() == "a card"


async def test_an_mlflow_model_names_its_loader_and_its_data(
    model: dict[str, Any], tmp_path: Path
) -> None:
    folder = write_mlflow_model(model, "a card", tmp_path / "out")

    described = yaml.safe_load((folder / "MLmodel").read_text())
    flavor = described["flavors"]["python_function"]
    assert flavor["loader_module"] == "archon_inference.flavors.python_function"
    assert {path.name for path in (folder / flavor["data"]).iterdir()} == set(WHOLE_MODEL)
    assert described["metadata"]["archon_digest"] == model["digest"]


@pytest.mark.parametrize("write", [write_hugging_face, write_mlflow_model])
async def test_what_was_exported_has_its_digest_again(
    model: dict[str, Any], tmp_path: Path, write: Any
) -> None:
    folder = write(model, "a card", tmp_path / "out")

    described = read_model_folder(folder, tmp_path / "back")

    assert (described["digest"], described["exported_digest"]) == (model["digest"], model["digest"])
    assert described["version"] == "1.1.0"
    files = list_files(tmp_path / "back")
    assert hashlib.sha256(build_manifest(files)).hexdigest() == model["digest"]


async def test_a_changed_file_gives_another_digest(model: dict[str, Any], tmp_path: Path) -> None:
    folder = write_hugging_face(model, "a card", tmp_path / "out")
    (folder / "archon.json").write_text("{}")

    described = read_model_folder(folder, tmp_path / "back")

    assert described["digest"] != described["exported_digest"]


async def test_a_damaged_artifact_is_not_exported(model: dict[str, Any], tmp_path: Path) -> None:
    stored = Path(model["uri"].removeprefix("file://"))
    (stored / "model.safetensors").write_bytes(b"changed")

    with pytest.raises(ExchangeError, match="was changed"):
        write_hugging_face(model, "", tmp_path / "out")


async def test_a_folder_that_is_in_use_or_no_export_is_refused(
    model: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("")

    with pytest.raises(ExchangeError, match="not empty"):
        write_hugging_face(model, "", tmp_path / "out")
    with pytest.raises(ExchangeError, match=r"no readable archon_version\.json"):
        read_model_folder(tmp_path / "out", tmp_path / "back")
    with pytest.raises(ExchangeError, match="no artifact is at"):
        write_hugging_face(model | {"uri": f"file://{tmp_path}/lost"}, "", tmp_path / "new")
    (tmp_path / "out" / "archon_version.json").write_text(json.dumps({}))
    (tmp_path / "out" / "mine.txt").unlink()
    with pytest.raises(ExchangeError, match="no file of a model"):
        read_model_folder(tmp_path / "out", tmp_path / "back")
