"""Pickles are reported by their names and by their content, whatever they are called."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from archon_contracts.pickles import is_pickle, may_be_pickle_by_name, pickles_in
from tests.support.training.poison import NAMES, plain, saved_by_torch


@pytest.mark.parametrize("name", [*NAMES, "MODEL.PT", "deep/weights.Pkl"])
def test_a_name_that_libraries_unpickle_is_reported(name: str) -> None:
    assert may_be_pickle_by_name(name)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "archon.json", "items.jsonl", "vocab.txt", "README", "pt"]
)
def test_a_name_of_data_is_not_a_pickles(name: str) -> None:
    assert not may_be_pickle_by_name(name)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_under_another_name_is_reported(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(plain(tmp_path / "witness", protocol=protocol))

    assert is_pickle(path)


def test_an_archive_of_torch_under_another_name_is_reported(tmp_path: Path) -> None:
    saved_by_torch(tmp_path / "witness", tmp_path / "notes.txt")

    assert pickles_in(tmp_path) == ["notes.txt"]


def test_a_file_that_only_begins_like_an_archive_is_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"PK was here")

    assert pickles_in(tmp_path) == []


@pytest.mark.parametrize("size", [*range(1, 120, 7)])
def test_safetensors_are_never_taken_for_pickles(tmp_path: Path, size: int) -> None:
    # The length of its header comes first: 0x80 0x02 is one that a file may well have.
    tensors = {f"weight.{n}": torch.zeros(1) for n in range(size)}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"pad": "x" * size})

    assert pickles_in(tmp_path) == []


@given(st.text())
def test_text_is_never_taken_for_a_pickle(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("text") / "items.jsonl"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")

    assert not is_pickle(path) or text.startswith("PK")
