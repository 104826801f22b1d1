"""A dead letter fits on its topic, whatever its record was."""

from datetime import UTC, datetime

from shared.errors import PermanentError
from shared.messaging.dead_letters import (
    MAXIMUM_BODY_BYTES,
    MAXIMUM_HEADER_BYTES,
    MAXIMUM_KEY_BYTES,
    DeadLetterRecord,
    build_dead_letter,
)
from shared.messaging.messages import RawRecord

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def make_dead_letter(record: RawRecord, reason: str = "no such agent") -> DeadLetterRecord:
    return build_dead_letter(
        record, service="probe", error=PermanentError(reason), attempts=2, at=NOON
    )


def headers_of(letter: DeadLetterRecord) -> dict[str, bytes | None]:
    return dict(letter.headers)


def test_a_small_record_is_kept_whole() -> None:
    record = RawRecord("t", 1, 7, b"key", b"body", (("a", b"1"), ("b", None)))
    letter = make_dead_letter(record)
    assert (letter.key, letter.payload) == ("key", b"body")
    assert headers_of(letter)["a"] == b"1"
    assert headers_of(letter)["dlq_null_headers"] == b"b"
    assert "dlq_body_bytes" not in headers_of(letter)


def test_a_huge_body_is_cut_and_its_size_is_reported() -> None:
    letter = make_dead_letter(RawRecord("t", 1, 7, b"key", b"x" * 10_000_000))
    assert len(letter.payload or b"") == MAXIMUM_BODY_BYTES
    assert headers_of(letter)["dlq_body_bytes"] == b"10000000"


def test_headers_beyond_the_limit_are_left_out_and_counted() -> None:
    headers = (("small", b"1"), ("huge", b"x" * 1_000_000), ("last", b"2"))
    kept = headers_of(make_dead_letter(RawRecord("t", 1, 7, None, b"body", headers)))
    assert (kept["small"], kept["last"], kept["dlq_dropped_headers"]) == (b"1", b"2", b"1")
    assert "huge" not in kept


def test_a_letter_is_never_much_larger_than_its_parts_may_be() -> None:
    record = RawRecord("t", 1, 7, b"k" * 1_000_000, None, (("n" * 1_000_000, None),))
    letter = make_dead_letter(record, reason="r" * 1_000_000 + "\ud800")
    size = sum(len(name) + len(value or b"") for name, value in letter.headers)
    assert len(letter.key) == MAXIMUM_KEY_BYTES
    assert size < MAXIMUM_HEADER_BYTES
