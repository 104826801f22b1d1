"""Envelopes survive the way through Kafka headers, whatever the headers are."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.envelope import Envelope, HeaderView
from archon_contracts.identifiers import derived_id, new_id

ABSENT_ID = new_id()
ABSENT_TIME = datetime(2026, 1, 1, tzinfo=UTC)

OUR_NAMES = {
    name
    for name, _ in Envelope(
        id=ABSENT_ID,
        source="s",
        type="t",
        time=ABSENT_TIME,
        subject="s",
        causation_id=ABSENT_ID,
        correlation_id="c",
        traceparent="p",
        tracestate="s",
    ).to_headers()
}

texts = st.text(max_size=30)
envelopes = st.builds(
    Envelope,
    id=st.uuids(),
    source=texts,
    type=texts,
    time=st.datetimes(timezones=st.just(UTC)),
    subject=texts,
    causation_id=st.none() | st.uuids(),
    correlation_id=texts,
    traceparent=texts,
    tracestate=texts,
)
raw_headers = st.lists(st.tuples(texts, st.none() | st.binary(max_size=30)))


def read(headers: list[tuple[str, bytes | None]]) -> Envelope:
    return Envelope.of(HeaderView.of(headers), absent_id=ABSENT_ID, absent_time=ABSENT_TIME)


@given(envelopes)
def test_an_envelope_comes_back_from_its_headers(envelope: Envelope) -> None:
    assert read([*envelope.to_headers()]) == envelope


@given(raw_headers)
def test_no_headers_whatever_stop_the_reader(headers: list[tuple[str, bytes | None]]) -> None:
    envelope = read(headers)

    assert envelope.time.tzinfo is not None


@given(envelopes, raw_headers)
def test_foreign_headers_before_ours_change_nothing(
    envelope: Envelope, foreign: list[tuple[str, bytes | None]]
) -> None:
    others = [(name, value) for name, value in foreign if name.lower() not in OUR_NAMES]

    assert read([*others, *envelope.to_headers()]) == envelope


def test_null_and_undecodable_headers_are_named_and_read_as_empty() -> None:
    view = HeaderView.of([("ce_source", None), ("ce_type", b"\xff\xfe"), ("ce_subject", b"x")])

    assert view.unreadable == ("ce_source", "ce_type")
    assert (view.text("ce_source"), view.text("ce_type"), view.text("ce_subject")) == ("", "", "x")


def test_header_names_are_read_in_any_case() -> None:
    assert HeaderView.of([("CE_Type", b"t")]).text("ce_type") == "t"


def test_the_last_of_repeated_headers_wins() -> None:
    assert HeaderView.of([("ce_type", b"a"), ("ce_type", b"b")]).text("ce_type") == "b"


def test_absent_attributes_are_stood_in_for() -> None:
    envelope = read([("ce_type", b"archon.FeedbackReceived.v1")])

    assert (envelope.id, envelope.time) == (ABSENT_ID, ABSENT_TIME)


def test_an_id_that_is_no_uuid_becomes_the_same_uuid_each_time() -> None:
    headers: list[tuple[str, bytes | None]] = [("ce_source", b"crm"), ("ce_id", b"A-17")]

    assert read(headers).id == read(headers).id == derived_id("event", "crm", "A-17")


def test_the_same_foreign_id_of_two_sources_is_two_events() -> None:
    first = read([("ce_source", b"crm"), ("ce_id", b"17")])
    second = read([("ce_source", b"shop"), ("ce_id", b"17")])

    assert first.id != second.id


def test_a_time_without_a_zone_is_taken_as_utc() -> None:
    envelope = read([("ce_time", b"2026-03-01T12:00:00")])

    assert envelope.time == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_unreadable_causation_is_none() -> None:
    assert read([("ce_causationid", b"nobody")]).causation_id is None
    assert read([("ce_causationid", str(ABSENT_ID).encode())]).causation_id == ABSENT_ID
