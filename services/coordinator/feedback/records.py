"""Feedback records as they come from the topic: each is read by itself, or refused by itself.

This runs for every event, so it looks only at the headers that it needs and parses a body once.
The body is kept as received and read again when its window becomes training data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from asyncpg.pgproto import pgproto
from pydantic import ValidationError

from archon_contracts.envelope import HeaderView
from archon_contracts.event_ids import FeedbackEvent, subject_of
from archon_contracts.events import (
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    InteractionLogged,
)
from archon_contracts.identifiers import derived_id, feedback_event_id
from archon_contracts.traffic_classes import Purpose, system_mark
from services.coordinator.domain import AgentKey
from services.coordinator.errors import OversizedFeedback
from shared.errors import PermanentError, UnknownMessageType, UnreadableMessage
from shared.messaging.messages import RawRecord, describe

ANNOTATION: Final = "annotation"
"""The `source` of a label that an annotator gave."""

GOOD_RATING: Final = 4.0
_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MISPLACED: Final = "header {name} is null or not UTF-8; send text or leave it out"


class Judgement(NamedTuple):
    """One row of the feedback table."""

    key: AgentKey
    event_id: UUID
    interaction_id: str
    source: str
    rating: float | None
    correct: bool | None
    traceparent: str | None
    body: bytes


class Interaction(NamedTuple):
    """An answer that nobody judged yet."""

    key: AgentKey
    event_id: UUID
    body: bytes


class Retraction(NamedTuple):
    """A judgement that is withdrawn."""

    key: AgentKey
    event_id: UUID
    interaction_id: str
    source: str
    reason: str


class SystemTraffic(NamedTuple):
    """What the system caused itself: noted, and never feedback."""

    key: AgentKey
    event_id: UUID
    kind: str
    purpose: str
    sign: str


Item = Judgement | Interaction | Retraction
RawHeaders = dict[str, bytes | None]
Reader = Callable[[RawRecord, RawHeaders, bytes], Item | SystemTraffic]


@dataclass(slots=True)
class Batch:
    """What was understood, in order, what was refused and why, and what the system caused."""

    items: list[tuple[RawRecord, Item]] = field(default_factory=list)
    refused: list[tuple[RawRecord, PermanentError]] = field(default_factory=list)
    own: list[tuple[RawRecord, SystemTraffic]] = field(default_factory=list)

    def read(self, records: Sequence[RawRecord], *, maximum_bytes: int) -> None:
        """Add records, each read by itself: a bad one is refused and decides for no other."""
        for record in records:
            try:
                item = read_item(record, maximum_bytes)
            except PermanentError as error:
                self.refused.append((record, error))
            else:
                if isinstance(item, SystemTraffic):
                    self.own.append((record, item))
                else:
                    self.items.append((record, item))


def read_item(record: RawRecord, maximum_bytes: int) -> Item | SystemTraffic:
    """What one record says.

    Raises:
        UnknownMessageType: `ce_type` is absent, unreadable, or not of this topic.
        UnreadableMessage: a header or the body breaks its contract.
        OversizedFeedback: the body is larger than the limit.
    """
    if record.unreadable:
        raise UnreadableMessage(record.unreadable)
    headers: RawHeaders = dict(record.headers)
    reader = _READERS.get(headers.get("ce_type"))
    if reader is None:
        headers = {name.lower(): value for name, value in record.headers}
        reader = _READERS.get(headers.get("ce_type"))
    if reader is None:
        raise _unknown_type(record)
    value = record.value
    if value is None:
        raise UnreadableMessage("the body is null (a tombstone); feedback is never deleted so")
    if len(value) > maximum_bytes:
        raise OversizedFeedback(
            f"the body has {len(value)} bytes, {maximum_bytes} are allowed; send a shorter one"
        )
    try:
        return reader(record, headers, value)
    except ValidationError as error:
        raise UnreadableMessage(f"{error.title}: {describe(error)}") from error


@dataclass(slots=True)
class Run:
    """What lies between two retractions: stored together, before the one that ends it."""

    judgements: list[Judgement] = field(default_factory=list)
    interactions: list[Interaction] = field(default_factory=list)
    retraction: Retraction | None = None


def runs_of(items: Iterable[Item]) -> Iterator[Run]:
    """The items in as few runs as keep the order of retractions among them."""
    run = Run()
    for item in items:
        match item:
            case Judgement():
                run.judgements.append(item)
            case Interaction():
                run.interactions.append(item)
            case Retraction():
                run.retraction = item
                yield run
                run = Run()
    yield run


def _judgement(record: RawRecord, headers: RawHeaders, value: bytes) -> Item | SystemTraffic:
    body = FeedbackReceived.model_validate_json(value)
    judgement = Judgement(
        AgentKey(body.tenant_id, body.agent_id),
        _event_id(headers)
        or feedback_event_id(body.tenant_id, body.agent_id, body.interaction_id, body.source),
        body.interaction_id,
        body.source,
        body.rating,
        _was_right(body),
        _traceparent(headers),
        value,
    )
    return _guarded(judgement, headers, body)


def _annotation(record: RawRecord, headers: RawHeaders, value: bytes) -> Item | SystemTraffic:
    body = AnnotationSubmitted.model_validate_json(value)
    absent = (ANNOTATION, body.tenant_id, body.agent_id, body.item_id, body.annotator_id)
    judgement = Judgement(
        AgentKey(body.tenant_id, body.agent_id),
        _event_id(headers) or derived_id(*absent),
        body.item_id,
        ANNOTATION,
        None,
        None,
        _traceparent(headers),
        value,
    )
    return _guarded(judgement, headers, body)


def _interaction(record: RawRecord, headers: RawHeaders, value: bytes) -> Item | SystemTraffic:
    body = InteractionLogged.model_validate_json(value)
    absent = ("interaction", body.tenant_id, body.agent_id, body.interaction_id)
    event_id = _event_id(headers) or derived_id(*absent)
    interaction = Interaction(AgentKey(body.tenant_id, body.agent_id), event_id, value)
    return _guarded(interaction, headers, body)


def _retraction(record: RawRecord, headers: RawHeaders, value: bytes) -> Item | SystemTraffic:
    body = FeedbackRetracted.model_validate_json(value)
    # Without an id, the record's place tells two withdrawals of one interaction apart.
    event_id = _event_id(headers) or derived_id(
        "record", record.topic, record.partition, record.offset
    )
    key = AgentKey(body.tenant_id, body.agent_id)
    retraction = Retraction(key, event_id, body.interaction_id, body.source, body.reason)
    return _guarded(retraction, headers, body)


def _guarded(item: Item, headers: RawHeaders, body: FeedbackEvent) -> Item | SystemTraffic:
    """The item, unless the system caused it: its own traffic must never begin a retrain."""
    try:
        mark = system_mark(headers, body.purpose, subject_of(body))
    except ValueError as error:
        purposes = ", ".join(Purpose)
        raise UnreadableMessage(f"header ce_purpose is none of {purposes}") from error
    if mark is None:
        return item
    return SystemTraffic(item.key, item.event_id, type(body).__name__, mark.purpose, mark.sign)


_READERS: Final[Mapping[bytes | None, Reader]] = {
    FeedbackReceived.message_type().encode(): _judgement,
    AnnotationSubmitted.message_type().encode(): _annotation,
    InteractionLogged.message_type().encode(): _interaction,
    FeedbackRetracted.message_type().encode(): _retraction,
}


def _unknown_type(record: RawRecord) -> UnknownMessageType:
    name = HeaderView.of(record.headers).text("ce_type")
    known = ", ".join(kind.decode() for kind in _READERS if kind)
    problem = f"header ce_type is {name[:80]!r}" if name else "header ce_type gives no type"
    return UnknownMessageType(f"{problem}; this topic takes {known}")


def _event_id(headers: RawHeaders) -> UUID | None:
    """The id that the sender gave; any text is one, and is mapped to a UUID together with its
    source. None when none was given."""
    given = headers.get("ce_id")
    if not given:
        if given is None and "ce_id" in headers:
            raise UnreadableMessage(_MISPLACED.format(name="ce_id"))
        return None
    try:
        text = given.decode()
    except UnicodeDecodeError as error:
        raise UnreadableMessage(_MISPLACED.format(name="ce_id")) from error
    try:
        return pgproto.UUID(text)  # as the driver reads it: ten times faster than the library's
    except ValueError:
        view = HeaderView.of((name, value) for name, value in headers.items())
        return view.uuid("ce_id") or derived_id("event", view.text("ce_source"), text)


def _traceparent(headers: RawHeaders) -> str | None:
    """A malformed context is no context, as W3C Trace Context demands."""
    given = headers.get("traceparent")
    return given.decode() if given and _TRACEPARENT.fullmatch(given) else None


def _was_right(body: FeedbackReceived) -> bool:
    if body.expected is not None:
        return body.actual == body.expected
    if body.rating is not None:
        return body.rating >= GOOD_RATING
    return (body.reward or 0.0) > 0
