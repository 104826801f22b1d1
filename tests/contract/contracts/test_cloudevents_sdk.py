"""Our headers are CloudEvents to the CloudEvents SDK, and its messages are ours to read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_binary_event,
    to_binary_event,
)
from cloudevents.core.v1.event import CloudEvent

from archon_contracts.envelope import Envelope, HeaderView
from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import new_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEEDBACK = FeedbackReceived(
    agent_id="picker", interaction_id="i-1", input={"text": "søk"}, actual="a", rating=4
)


def full_envelope() -> Envelope:
    return Envelope(
        id=new_id(),
        source="agent/picker",
        type=FeedbackReceived.message_type(),
        time=NOON,
        subject="i-1",
        causation_id=new_id(),
        correlation_id="chain-1",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


def read(headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
    return Envelope.of(HeaderView.of(headers), absent_id=new_id(), absent_time=NOON)


def sdk_event(**attributes: Any) -> CloudEvent:
    given = {
        "id": str(new_id()),
        "source": "crm",
        "type": FeedbackReceived.message_type(),
        "specversion": "1.0",
        "time": NOON,
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes={**given, **attributes}, data=FEEDBACK.to_json())


def test_the_sdk_reads_our_headers_and_body() -> None:
    envelope = full_envelope()
    message = KafkaMessage(dict(envelope.to_headers()), FEEDBACK.key, FEEDBACK.to_bytes())

    event = from_binary_event(message)

    assert event.get_id() == str(envelope.id)
    assert event.get_source() == "agent/picker"
    assert event.get_type() == "archon.FeedbackReceived.v1"
    assert event.get_time() == NOON
    assert event.get_subject() == "i-1"
    assert event.get_extension("causationid") == str(envelope.causation_id)
    assert event.get_extension("partitionkey") == "default/picker"
    assert event.get_data() == FEEDBACK.to_json()


def test_we_read_what_the_sdk_writes() -> None:
    event = sdk_event(subject="i-1", correlationid="chain-1", partitionkey="default/picker")

    message = to_binary_event(event)

    envelope = read([*message.headers.items()])
    assert str(envelope.id) == event.get_id()
    assert (envelope.source, envelope.type, envelope.time) == ("crm", event.get_type(), NOON)
    assert (envelope.subject, envelope.correlation_id) == ("i-1", "chain-1")
    assert FeedbackReceived.model_validate_json(message.value) == FEEDBACK


def test_an_event_passes_through_the_sdk_unchanged() -> None:
    envelope = full_envelope()
    sent = KafkaMessage(dict(envelope.to_headers()), FEEDBACK.key, FEEDBACK.to_bytes())

    passed_on = to_binary_event(from_binary_event(sent))

    # `traceparent` is a header beside CloudEvents' own: whoever passes a message on, traces anew.
    traced = [*passed_on.headers.items(), ("traceparent", envelope.traceparent.encode())]
    assert read(traced) == envelope


def test_an_sdk_id_that_is_no_uuid_is_mapped_to_the_same_one_each_time() -> None:
    message = to_binary_event(sdk_event(id="order-17"))

    assert read([*message.headers.items()]).id == read([*message.headers.items()]).id


@pytest.mark.parametrize(
    ("header", "value"),
    [("ce_subject", None), ("ce_time", b"\xff"), ("x-foreign", None), ("x-foreign", b"\xc3\x28")],
)
def test_a_header_that_the_sdk_cannot_bear_does_not_stop_us(
    header: str, value: bytes | None
) -> None:
    headers: list[tuple[str, bytes | None]] = [*full_envelope().to_headers(), (header, value)]

    view = HeaderView.of(headers)

    assert view.unreadable == (header,)
    assert read(headers).type == FeedbackReceived.message_type()
