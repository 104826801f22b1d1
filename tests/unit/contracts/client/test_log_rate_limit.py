"""An outage costs a few lines per half minute, whatever the libraries say."""

import logging

import pytest

from archon_contracts.client import log_rate_limit
from archon_contracts.client.log_rate_limit import RepeatFilter, limit_library_logs


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    now = [1000.0]
    monkeypatch.setattr(log_rate_limit.time, "monotonic", lambda: now[0])
    return now


def _lines(repeats: RepeatFilter, *messages: str) -> list[str]:
    records = [
        logging.LogRecord("aiokafka.client", logging.ERROR, "f", 1, message, (), None)
        for message in messages
    ]
    return [record.getMessage() for record in records if repeats.filter(record)]


def test_the_same_line_is_written_once_in_an_interval(clock: list[float]) -> None:
    assert _lines(RepeatFilter(), *["away"] * 1000) == ["away"]


def test_the_next_interval_says_how_many_were_left_out(clock: list[float]) -> None:
    repeats = RepeatFilter()
    _lines(repeats, *["away"] * 11)
    clock[0] += 30
    assert _lines(repeats, "away") == ["away [10 more lines before; 10 of aiokafka.client: away]"]


def test_ten_minutes_of_many_kinds_stay_below_ten_lines_a_minute(clock: list[float]) -> None:
    repeats, written = RepeatFilter(), 0
    for second in range(600):
        clock[0] += 1
        written += len(_lines(repeats, *(f"kind {second % 50} {n}" for n in range(40))))
    assert written / 10 <= 10


def test_a_traceback_is_one_line(clock: list[float]) -> None:
    try:
        raise ValueError("no")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("aiokafka", logging.ERROR, "f", 1, "Kafka %s", ("error",), info)
    assert RepeatFilter().filter(record)
    assert logging.Formatter().format(record) == "Kafka error: ValueError('no')"


def test_every_logger_of_the_library_is_limited() -> None:
    child = logging.getLogger("aiokafka.some.module")
    limit_library_logs()
    limit_library_logs()
    assert len(child.filters) == 1
