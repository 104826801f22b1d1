"""Records become typed messages, or an error that names the field."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.events import FeedbackReceived
from shared.errors import UnknownMessageType, UnreadableMessage
from shared.messaging.messages import RawRecord, read_message, read_tenant_id
from shared.messaging.outbox import decode_headers, encode_headers

TYPE = ("ce_type", b"archon.FeedbackReceived.v1")
BODY = b'{"agent_id":"a","interaction_id":"i","input":"x","actual":"y","rating":5}'


def _record(value: bytes | None = BODY, *headers: tuple[str, bytes | None]) -> RawRecord:
    return RawRecord("archon.feedback.v1", 2, 7, b"default/a", value, (TYPE, *headers), 1_000)


def test_a_body_with_only_a_type_header_is_enough() -> None:
    message = read_message(_record())
    assert isinstance(message.body, FeedbackReceived)
    assert message.envelope.time.timestamp() == 1.0


@pytest.mark.parametrize("timestamp", [2**61, 2**63 - 1, -1, -(2**63)])
def test_an_absurd_timestamp_is_kept_in_range(timestamp: int) -> None:
    message = read_message(_record()._replace(timestamp=timestamp))
    assert 1970 <= message.envelope.time.year <= 9999


def test_a_record_without_an_id_has_the_same_id_at_every_delivery() -> None:
    assert read_message(_record()).envelope.id == read_message(_record()).envelope.id


def test_a_given_id_is_kept() -> None:
    event_id = uuid4()
    message = read_message(_record(BODY, ("ce_id", str(event_id).encode())))
    assert message.envelope.id == event_id
    assert message.cause.id == event_id


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "tombstone"),
        (b"{", "JSON"),
        (b'{"agent_id":"a"}', "interaction_id: Field required"),
        (BODY.replace(b"5", b"9"), "rating"),
        (BODY.replace(b',"rating":5', b""), "at least one of expected, rating, reward"),
        (BODY.replace(b'"a"', b'"two words"'), "agent_id"),
        (BODY.replace(b"5", b"NaN"), "JSON|rating"),
        (b"\xff\xfe", "JSON|utf"),
    ],
)
def test_a_bad_body_names_the_field(value: bytes | None, words: str) -> None:
    with pytest.raises(UnreadableMessage, match=f"(?i){words}"):
        read_message(_record(value))


def test_an_error_never_repeats_the_input() -> None:
    with pytest.raises(UnreadableMessage) as caught:
        read_message(_record(BODY.replace(b"5", b'"my secret"')))
    assert "my secret" not in str(caught.value)


@pytest.mark.parametrize("kind", [None, b"archon.No.v1", b"archon.FeedbackReceived.v9", b"\xff"])
def test_an_unknown_type_is_refused(kind: bytes | None) -> None:
    record = RawRecord("t", 0, 0, None, BODY, (("ce_type", kind),))
    with pytest.raises(UnknownMessageType, match="ce_type"):
        read_message(record)


@given(st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=9))))
def test_headers_survive_the_outbox(headers: list[tuple[str, bytes | None]]) -> None:
    stored = encode_headers(tuple(headers))
    assert decode_headers(stored) == tuple(headers)


@given(st.binary(max_size=200), st.lists(st.tuples(st.just("ce_id"), st.none() | st.binary())))
def test_no_bytes_break_the_reader(value: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    try:
        message = read_message(_record(value, *headers))
    except UnreadableMessage:
        return
    assert isinstance(message.envelope.id, UUID)


@pytest.mark.parametrize(
    ("body", "tenant_id"),
    [
        (b'{"tenant_id": "acme", "n": 1}', "acme"),
        (b'{"n": 1}', "default"),
        (b'{"tenant_id": "*"}', ""),
        (b'{"tenant_id": null}', ""),
        (b"[1]", ""),
        (b"{", ""),
        (None, ""),
    ],
)
def test_a_body_of_any_contract_says_whose_it_is(body: bytes | None, tenant_id: str) -> None:
    assert read_tenant_id(body) == tenant_id


def test_a_raw_record_is_a_tuple() -> None:
    """One is made of every record; as a frozen dataclass it took four times as long."""
    assert isinstance(_record(), tuple)
