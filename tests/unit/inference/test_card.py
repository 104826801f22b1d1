from pathlib import Path

import pytest

from archon_inference.card import ModelCard, read_card, write_card
from archon_inference.errors import ModelFolderInvalid

CARD = ModelCard(kind="classifier", base_model="pypi:x", max_length=32, labels=("a", "b"))


def test_a_written_card_reads_back_equal(tmp_path: Path) -> None:
    write_card(tmp_path, CARD)

    assert read_card(tmp_path) == CARD


def test_a_folder_without_a_card_is_no_model_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderInvalid, match=r"no archon\.json"):
        read_card(tmp_path)


def test_a_card_of_a_later_format_is_refused(tmp_path: Path) -> None:
    text = CARD.model_dump_json().replace('"format_version":1', '"format_version":5')
    (tmp_path / "archon.json").write_text(text)

    with pytest.raises(ModelFolderInvalid, match="format_version"):
        read_card(tmp_path)


def test_a_card_with_a_field_from_the_future_is_read(tmp_path: Path) -> None:
    text = CARD.model_dump_json().replace("{", '{"new_field": 1, ', 1)
    (tmp_path / "archon.json").write_text(text)

    assert read_card(tmp_path) == CARD
