import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_inference.catalogue import Tool, read_catalogue, write_catalogue
from archon_inference.errors import ModelFolderInvalid


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Movies_3_FindMovies", "Movies 3 Find Movies"),
        ("weather.getCurrent", "weather get Current"),
        ("math.hypot", "math hypot"),
    ],
)
def test_a_name_reads_as_words(name: str, words: str) -> None:
    assert Tool(name, "does it").text == f"{words}: does it"


def test_a_written_catalogue_reads_back_in_order(tmp_path: Path) -> None:
    tools = [Tool("b", "zweite"), Tool("a", "erste — ünïcode")]

    write_catalogue(tmp_path / "catalogue.json", tools)

    assert read_catalogue(tmp_path) == tools
    assert read_catalogue(tmp_path / "catalogue.json") == tools


@pytest.mark.parametrize(
    "text", ["[]", "{}", "not json", '[{"name": "a"}]', '["a"]', '[{"description": "d"}]']
)
def test_what_is_no_catalogue_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "catalogue.json").write_text(text)

    with pytest.raises(ModelFolderInvalid):
        read_catalogue(tmp_path)


def test_a_tool_named_twice_is_refused(tmp_path: Path) -> None:
    rows = [{"name": "a", "description": "x"}, {"name": "a", "description": "y"}]
    (tmp_path / "catalogue.json").write_text(json.dumps(rows))

    with pytest.raises(ModelFolderInvalid, match="twice"):
        read_catalogue(tmp_path)


@given(st.text(min_size=1), st.text())
def test_any_name_reads_as_one_line_of_text(name: str, description: str) -> None:
    text = Tool(name, description).text

    assert text.endswith(description)
    assert "_" not in text.removesuffix(description)
