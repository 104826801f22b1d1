from pathlib import Path

import pytest

from services.trainer.errors import DatasetInvalid, EmptyDataset
from services.trainer.items import read_training_items

GOOD = '{"id": 1, "input": "a", "target": "b", "later": true}\n'


def test_items_are_read_in_order_and_blank_lines_left_out(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(GOOD + "\n" + GOOD.replace("1", "2"))

    train, validation = read_training_items(tmp_path)

    assert [item.id for item in train] == ["1", "2"]
    assert validation == []


@pytest.mark.parametrize("text", [None, "", "\n\n"])
def test_a_dataset_without_an_item_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "train.jsonl").write_text(text)

    with pytest.raises(EmptyDataset):
        read_training_items(tmp_path)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("not json", "train.jsonl:2"),
        ('{"id": "1", "input": "a"}', "target"),
        ('{"id": "1", "input": "", "target": "b"}', "input"),
        ('{"id": "1", "input": "a", "target": "b", "weight": -1}', "weight"),
        ('{"id": "1", "input": "a", "target": "b", "difficulty": 2}', "difficulty"),
        ('{"id": "1", "input": "a", "target": null}', "target"),
    ],
)
def test_a_line_that_is_no_item_is_named(tmp_path: Path, line: str, fault: str) -> None:
    (tmp_path / "train.jsonl").write_text(GOOD + line)

    with pytest.raises(DatasetInvalid, match=fault):
        read_training_items(tmp_path)
