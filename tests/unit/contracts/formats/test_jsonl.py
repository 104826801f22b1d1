"""JSON Lines: what is written is read, and a wrong line is named."""

from pathlib import Path

import pytest

from archon_contracts.formats import (
    LineInvalid,
    SuiteItem,
    count_lines,
    parse_line,
    read_jsonl,
    to_jsonl,
)
from archon_contracts.formats.jsonl import MAXIMUM_LINE_BYTES

ITEMS = [SuiteItem(id="1", input="where?", target="here"), SuiteItem(id="2", input="Zoë\u2028?")]


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(to_jsonl(ITEMS))

    assert list(read_jsonl(path, SuiteItem)) == ITEMS


def test_default_values_are_left_out() -> None:
    assert to_jsonl(ITEMS[:1]) == b'{"id":"1","input":"where?","target":"here"}\n'


def test_blank_lines_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"\n" + to_jsonl(ITEMS[:1]) + b"  \n" + to_jsonl(ITEMS[1:]))

    assert list(read_jsonl(path, SuiteItem)) == ITEMS
    assert count_lines(path.read_bytes()) == 2


def test_a_wrong_line_is_named_by_file_number_and_field(tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    path.write_bytes(to_jsonl(ITEMS) + b'{"id": "3", "input": null}\n')

    with pytest.raises(LineInvalid, match=r"^test\.jsonl:3: input: "):
        list(read_jsonl(path, SuiteItem))


@pytest.mark.parametrize("line", [b"not json", b"[1]", b"null", b'{"id": "1"', b"\xff\xfe"])
def test_a_line_that_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(LineInvalid):
        parse_line(line, SuiteItem)


def test_a_line_that_is_too_long_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(LineInvalid, match="longer than"):
        parse_line(b"x" * (MAXIMUM_LINE_BYTES + 1), SuiteItem)
