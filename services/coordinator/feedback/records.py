"""Feedback records as they come from the topic: each is read by itself, or refused by itself.

This runs for every event, so it looks only at the headers that it needs and parses a body once.
The body is kept as received and read again when its window becomes training data.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from asyncpg.pgproto import pgproto
from pydantic import ValidationError

from archon_contracts.envelope import HeaderView
from archon_contracts.event_ids import FeedbackEvent, event_id_of, subject_of
from archon_contracts.events import (
    EVERY_SUBMITTER,
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    FeedbackSource,
    InteractionLogged,
)
from archon_contracts.identifiers import derived_id, feedback_event_id
from archon_contracts.rules.answer_outcome import outcome_of
from archon_contracts.traffic_classes import TrafficClass, detect_internal_traffic
from services.coordinator.domain import AgentKey
from services.coordinator.errors import NotVouchedFor, OversizedFeedback
from services.coordinator.feedback.correctness import is_good, same_answer
from services.coordinator.feedback.stats import ANNOTATION
from shared.errors import PermanentError, UnknownMessageType, UnreadableMessage
from shared.messaging.gateway_mac import MAC_HEADER, GatewayMac
from shared.messaging.messages import RawRecord, describe_validation_error

MAXIMUM_SUBMITTER_LENGTH: Final = 256
SCOPED_SOURCES: Final = frozenset({FeedbackSource.EXPERT, FeedbackSource.ENVIRONMENT, ANNOTATION})
"""Sources that a key may name only with the scope `annotate`, as they outweigh users."""
_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MISPLACED: Final = "header {name} is null or not UTF-8; send text or leave it out"


class FeedbackRow(NamedTuple):
    """One row of the feedback table; what follows `submitted_by` is counted or compared only.

    By its place in the log a second send after a retraction differs from a redelivery.
    """

    key: AgentKey
    event_id: UUID
    interaction_id: str
    source: str
    rating: float | None
    correct: bool | None
    traceparent: str | None
    body: bytes
    submitted_by: str = ""
    model_version: str | None = None
    corrected: bool = False
    reward: float | None = None
    annotator_id: str = ""
    partition: int = 0
    offset: int = 0
    model_digest: str | None = None
    outcome: float | None = None
    feedback_propensity: float | None = None


class InteractionRow(NamedTuple):
    """An answer without feedback yet."""

    key: AgentKey
    event_id: UUID
    body: bytes
    model_version: str | None = None
    failed: bool = False
    latency_seconds: float | None = None
    model_digest: str | None = None


class RetractionRow(NamedTuple):
    """A feedback event that is retracted."""

    key: AgentKey
    event_id: UUID
    interaction_id: str
    source: str
    reason: str
    submitted_by: str = EVERY_SUBMITTER
    annotator_id: str = ""
    partition: int = 0
    offset: int = 0


class InternalRecord(NamedTuple):
    """What the system caused itself: recorded, and never feedback."""

    key: AgentKey
    event_id: UUID
    kind: str
    traffic_class: str
    signal: str


FeedbackItem = FeedbackRow | InteractionRow | RetractionRow
RawHeaders = dict[str, bytes | None]
RecordParser = Callable[[RawRecord, RawHeaders, bytes], FeedbackItem | InternalRecord]


@dataclass(slots=True)
class FeedbackBatch:
    """What was understood, in order, what was refused and why, and what the system caused."""

    items: list[tuple[RawRecord, FeedbackItem]] = field(default_factory=list)
    rejected: list[tuple[RawRecord, PermanentError]] = field(default_factory=list)
    internal: list[tuple[RawRecord, InternalRecord]] = field(default_factory=list)

    def parse(
        self, records: Sequence[RawRecord], *, maximum_bytes: int, mac: GatewayMac | None = None
    ) -> None:
        """Add records, each read by itself: a bad one is refused and decides for no other."""
        for record in records:
            try:
                item = parse_record(record, maximum_bytes, mac)
            except PermanentError as error:
                self.rejected.append((record, error))
            else:
                if isinstance(item, InternalRecord):
                    self.internal.append((record, item))
                else:
                    self.items.append((record, item))


def parse_record(
    record: RawRecord, maximum_bytes: int, mac: GatewayMac | None = None
) -> FeedbackItem | InternalRecord:
    """What one record says. With `mac`, what needs a scope needs the gateway's proof.

    Raises:
        UnknownMessageType: `ce_type` is absent, unreadable, or not of this topic.
        UnreadableMessage: a header or the body breaks its contract.
        OversizedFeedback: the body is larger than the limit.
        NotVouchedFor: only the gateway may send it, and it did not.
    """
    if record.unreadable:
        raise UnreadableMessage(record.unreadable)
    headers: RawHeaders = dict(record.headers)
    reader = _PARSERS.get(headers.get("ce_type"))
    if reader is None:
        headers = {name.lower(): value for name, value in record.headers}
        reader = _PARSERS.get(headers.get("ce_type"))
    if reader is None:
        raise _unknown_type(record)
    value = record.value
    if value is None:
        raise UnreadableMessage("the body is null (a tombstone); feedback is never deleted so")
    if len(value) > maximum_bytes:
        raise OversizedFeedback(
            f"the body has {len(value)} bytes, {maximum_bytes} are allowed "
            "(ARCHON_FEEDBACK_MAX_BYTES); send a shorter one"
        )
    try:
        item = reader(record, headers, value)
        if mac is not None:
            _require_vouched(mac, headers, value, item)
        return item
    except ValidationError as error:
        raise UnreadableMessage(f"{error.title}: {describe_validation_error(error)}") from error


@dataclass(slots=True)
class RowGroup:
    """Rows that are stored together, and retractions after them: of one source and submitter."""

    feedback: list[FeedbackRow] = field(default_factory=list)
    interactions: list[InteractionRow] = field(default_factory=list)
    retractions: list[RetractionRow] = field(default_factory=list)

    def takes(self, row: RetractionRow) -> bool:
        """Whether the retraction can be applied with those that the group has."""
        return not self.retractions or _concern(self.retractions[0]) == _concern(row)


def _concern(row: RetractionRow) -> tuple[AgentKey, str, str, str]:
    return row.key, row.source, row.submitted_by, row.annotator_id


def split_at_retractions(items: Iterable[FeedbackItem]) -> Iterator[RowGroup]:
    """The items in as few groups as keep the order of retractions among them."""
    group = RowGroup()
    for item in items:
        if isinstance(item, RetractionRow):
            if not group.takes(item):
                yield group
                group = RowGroup()
            group.retractions.append(item)
            continue
        if group.retractions:
            yield group
            group = RowGroup()
        if isinstance(item, FeedbackRow):
            group.feedback.append(item)
        else:
            group.interactions.append(item)
    yield group


def _parse_feedback(
    record: RawRecord, headers: RawHeaders, value: bytes
) -> FeedbackItem | InternalRecord:
    body = FeedbackReceived.model_validate_json(value)
    submitted_by = _submitted_by(headers)
    named = body.tenant_id, body.agent_id, body.interaction_id, body.source
    # Compared once: both whether it was right and whether it was corrected follow.
    same = body.expected is not None and same_answer(body.actual, body.expected)
    row = FeedbackRow(
        AgentKey(body.tenant_id, body.agent_id),
        _event_id(headers, value, *named) or feedback_event_id(*named, submitted_by),
        body.interaction_id,
        body.source,
        body.rating,
        same if body.expected is not None else is_good(body),
        _traceparent(headers),
        value,
        submitted_by,
        body.model_version,
        body.expected is not None and not same,
        body.reward,
        partition=record.partition,
        offset=record.offset,
        model_digest=body.model_digest,
        outcome=outcome_of(
            is_right=same if body.expected is not None else None,
            reward=body.reward,
            rating=body.rating,
        ),
        feedback_propensity=body.feedback_propensity,
    )
    return _classify(row, headers, body)


def _parse_annotation(
    record: RawRecord, headers: RawHeaders, value: bytes
) -> FeedbackItem | InternalRecord:
    body = AnnotationSubmitted.model_validate_json(value)
    submitted_by = _submitted_by(headers)
    row = FeedbackRow(
        AgentKey(body.tenant_id, body.agent_id),
        _event_id(headers, value, ANNOTATION, body.tenant_id, body.agent_id, body.item_id)
        or event_id_of(body, submitted_by),
        body.item_id,
        ANNOTATION,
        None,
        None,
        _traceparent(headers),
        value,
        submitted_by,
        annotator_id=body.annotator_id,
        partition=record.partition,
        offset=record.offset,
    )
    return _classify(row, headers, body)


def _parse_interaction(
    record: RawRecord, headers: RawHeaders, value: bytes
) -> FeedbackItem | InternalRecord:
    body = InteractionLogged.model_validate_json(value)
    named = "interaction", body.tenant_id, body.agent_id, body.interaction_id
    event_id = _event_id(headers, value, *named) or event_id_of(body, _submitted_by(headers))
    interaction = InteractionRow(
        AgentKey(body.tenant_id, body.agent_id),
        event_id,
        value,
        body.model_version,
        body.error is not None,
        body.latency_seconds,
        body.model_digest,
    )
    return _classify(interaction, headers, body)


def _parse_retraction(
    record: RawRecord, headers: RawHeaders, value: bytes
) -> FeedbackItem | InternalRecord:
    body = FeedbackRetracted.model_validate_json(value)
    # Without an id, the record's offset distinguishes two retractions of one interaction.
    event_id = _event_id(
        headers, value, "retraction", body.tenant_id, body.agent_id, body.interaction_id
    ) or derived_id("record", record.topic, record.partition, record.offset)
    retraction = RetractionRow(
        AgentKey(body.tenant_id, body.agent_id),
        event_id,
        body.interaction_id,
        ANNOTATION if body.annotator_id else body.source,
        body.reason,
        body.submitted_by or _submitted_by(headers),
        body.annotator_id or "",
        record.partition,
        record.offset,
    )
    return _classify(retraction, headers, body)


def _classify(
    item: FeedbackItem, headers: RawHeaders, body: FeedbackEvent
) -> FeedbackItem | InternalRecord:
    """The item, unless it is internal traffic, which must never begin a retrain."""
    try:
        mark = detect_internal_traffic(headers, body.traffic_class, subject_of(body))
    except ValueError as error:
        traffic_classes = ", ".join(TrafficClass)
        raise UnreadableMessage(f"header ce_trafficclass is none of {traffic_classes}") from error
    if mark is None:
        return item
    return InternalRecord(
        item.key, item.event_id, type(body).__name__, mark.traffic_class, mark.signal
    )


_PARSERS: Final[Mapping[bytes | None, RecordParser]] = {
    FeedbackReceived.message_type().encode(): _parse_feedback,
    AnnotationSubmitted.message_type().encode(): _parse_annotation,
    InteractionLogged.message_type().encode(): _parse_interaction,
    FeedbackRetracted.message_type().encode(): _parse_retraction,
}


def _require_vouched(
    mac: GatewayMac, headers: RawHeaders, value: bytes, item: FeedbackItem | InternalRecord
) -> None:
    """Refuse what needs a key's scope from a sender that the gateway did not check."""
    signed = (headers.get("ce_id") or b"", headers.get("ce_submittedby") or b"", value)
    if mac.verify(headers.get(MAC_HEADER), *signed):
        return
    named = ""
    if "ce_submittedby" in headers:  # it would take another key's ids, or retract what it gave
        named = "header ce_submittedby"
    elif isinstance(item, FeedbackRow | RetractionRow) and item.source in SCOPED_SOURCES:
        named = f"source {item.source}"
    elif isinstance(item, RetractionRow) and item.submitted_by != _submitted_by(headers):
        named = "submitted_by"
    if named:
        raise NotVouchedFor(
            f"{named} needs an API key's scope, and this record did not come through the gateway; "
            "send it over HTTP"
        )


def _unknown_type(record: RawRecord) -> UnknownMessageType:
    name = HeaderView.of(record.headers).text("ce_type")
    known = ", ".join(kind.decode() for kind in _PARSERS if kind)
    problem = f"header ce_type is {name[:80]!r}" if name else "header ce_type gives no type"
    return UnknownMessageType(f"{problem}; this topic takes {known}")


def _submitted_by(headers: RawHeaders) -> str:
    """The API key that the gateway names, or else the source that sent it over Kafka."""
    provided = headers.get("ce_submittedby") or headers.get("ce_source") or b""
    return provided.decode(errors="replace")[:MAXIMUM_SUBMITTER_LENGTH]


def _event_id(headers: RawHeaders, body: bytes, *named: str) -> UUID | None:
    """The id that the sender gave; any text is one, and is mapped to a UUID together with its
    source. CloudEvents has ids unique per source: without one, an id is of what is `named` and of
    the body, since another sender may count from the same number, on the same interaction too. A
    redelivery has the same body. None when none was provided."""
    provided = headers.get("ce_id")
    if not provided:
        if provided is None and "ce_id" in headers:
            raise UnreadableMessage(_MISPLACED.format(name="ce_id"))
        return None
    try:
        text = provided.decode()
    except UnicodeDecodeError as error:
        raise UnreadableMessage(_MISPLACED.format(name="ce_id")) from error
    try:
        return pgproto.UUID(text)  # as the driver reads it: ten times faster than the library's
    except ValueError:
        view = HeaderView.of((name, value) for name, value in headers.items())
        source = view.text("ce_source")
        mapped = derived_id("event", source, text) if source else _sourceless_id(body, *named, text)
        return view.uuid("ce_id") or mapped


def _sourceless_id(body: bytes, *named: str) -> UUID:
    return derived_id("event", *named, hashlib.sha256(body).hexdigest())


def _traceparent(headers: RawHeaders) -> str | None:
    """A malformed context is no context, as W3C Trace Context demands."""
    provided = headers.get("traceparent")
    return provided.decode() if provided and _TRACEPARENT.fullmatch(provided) else None
