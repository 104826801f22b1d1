"""Lines of a source."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.commands import SourceKind
from archon_contracts.formats import SuiteItem
from archon_contracts.formats.jsonl import MAXIMUM_LINE_BYTES
from services.data_prep.sources.records import read_source, read_suite


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "line is not valid"),
        (b"\xff\xfe", "line is not valid"),
        (b'{"input": NaN}', "input is not valid"),
        (b"[1]", "line is not valid"),
        (b'{"target": "x"}', "input is not valid"),
        (b'{"input": ""}', "input is not valid"),
        (b'{"input": "' + b"x" * MAXIMUM_LINE_BYTES + b'"}', "line is not valid"),
        (b'{"input": "a", "rating": 9}', "rating is not valid"),
        (b'{"input": "a", "weight": 0}', "weight is not valid"),
        (b'{"input": "a", "rejected": ["b", 1], "annotations": [{}]}', "annotations is not valid"),
    ],
)
def test_a_line_that_cannot_be_read_is_counted_with_its_reason(line: bytes, reason: str) -> None:
    reading = read_source([line], SourceKind.EXTERNAL)

    assert (reading.received, reading.unreadable, reading.records) == (1, {reason: 1}, [])


def test_blank_lines_do_not_count() -> None:
    assert read_source([b"\n", b"  \n"], SourceKind.EXTERNAL).received == 0


def test_the_kind_of_the_source_counts_and_not_what_a_line_says_of_itself() -> None:
    (found,) = read_source([b'{"input": "a", "source": "human"}'], SourceKind.SYNTHETIC).records

    assert found.source == "synthetic"


def test_what_says_of_itself_that_it_is_synthetic_is_believed() -> None:
    (found,) = read_source([b'{"input": "a", "source": "synthetic"}'], SourceKind.EXTERNAL).records

    assert found.source == "synthetic"


def test_times_with_and_without_a_zone_are_read() -> None:
    lines = [
        b'{"input": "a", "occurred_at": "2026-03-01T12:00:00Z"}',
        b'{"input": "b", "occurred_at": "2026-03-01T12:00:00"}',
    ]

    first, second = read_source(lines, SourceKind.FEEDBACK).records

    assert first.occurred_at == second.occurred_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


values = st.none() | st.text() | st.lists(st.text()) | st.dictionaries(st.just("input"), st.text())


@given(st.lists(st.binary() | values.map(orjson.dumps)))
def test_every_line_is_a_record_or_counted(lines: list[bytes]) -> None:
    reading = read_source(lines, SourceKind.EXTERNAL)

    assert reading.received == len(reading.records) + reading.unreadable.total()


def test_suite_lines_that_no_evaluation_could_read_are_passed_over() -> None:
    good = b'{"id": "1", "input": "q", "target": "a"}'

    found = list(read_suite([b"{", b"[]", b'{"id": "2"}', good]))

    assert found == [SuiteItem(id="1", input="q", target="a")]
