"""Lines of a source."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.commands import SourceKind
from services.data_prep.sources.records import MAXIMUM_LINE_BYTES, read_objects, read_source


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"input": NaN}', "not JSON"),
        (b"[1]", "not an object"),
        (b'{"target": "x"}', "no input"),
        (b'{"input": ""}', "no input"),
        (b'{"input": "' + b"x" * MAXIMUM_LINE_BYTES + b'"}', "line too long"),
    ],
)
def test_a_line_that_cannot_be_read_is_counted_with_its_reason(line: bytes, reason: str) -> None:
    reading = read_source([line], SourceKind.EXTERNAL)

    assert (reading.received, reading.unreadable, reading.records) == (1, {reason: 1}, [])


def test_blank_lines_do_not_count() -> None:
    assert read_source([b"\n", b"  \n"], SourceKind.EXTERNAL).received == 0


def test_fields_of_a_wrong_type_are_as_if_absent() -> None:
    line = b'{"input": "a", "rating": "5", "reward": true, "weight": [1], "occurred_at": "soon"}'

    (found,) = read_source([line], SourceKind.FEEDBACK).records

    assert (found.rating, found.reward, found.weight, found.occurred_at) == (None, None, None, 0.0)


def test_times_with_and_without_a_zone_are_read() -> None:
    lines = [
        b'{"input": "a", "occurred_at": "2026-03-01T12:00:00Z"}',
        b'{"input": "b", "occurred_at": "2026-03-01T12:00:00"}',
    ]

    first, second = read_source(lines, SourceKind.FEEDBACK).records

    assert first.occurred_at == second.occurred_at == 1772366400.0


def test_of_each_annotator_the_last_label_counts_once() -> None:
    given = [("ann", "a"), ("bob", "b"), ("ann", "a"), ("ann", "c"), ("", "d"), ("", "d")]
    labels = [{"annotator_id": name, "label": label} for name, label in given]

    (found,) = read_source(
        [orjson.dumps({"input": "q", "annotations": labels})], SourceKind.HUMAN
    ).records

    assert (found.annotators, found.labels) == (("ann", "bob", "", ""), ("c", "b", "d", "d"))


values = st.none() | st.text() | st.lists(st.text()) | st.dictionaries(st.just("input"), st.text())


@given(st.lists(st.binary() | values.map(orjson.dumps)))
def test_every_line_is_a_record_or_counted(lines: list[bytes]) -> None:
    reading = read_source(lines, SourceKind.EXTERNAL)

    assert reading.received == len(reading.records) + reading.unreadable.total()


def test_lines_that_are_no_objects_are_passed_over() -> None:
    assert list(read_objects([b"{", b"[]", b'{"a": 1}'])) == [{"a": 1}]
