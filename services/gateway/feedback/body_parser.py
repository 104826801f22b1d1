"""Feedback bodies as events with ids: the bytes are parsed once, a batch is accepted as a whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError, create_model

from archon_contracts.event_ids import (
    FeedbackEvent,
    event_id_of,
    subject_of,
    with_traffic_class,
)
from archon_contracts.events import (
    EVERY_SUBMITTER,
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    FeedbackSource,
    InteractionLogged,
)
from archon_contracts.identifiers import derived_id
from archon_contracts.traffic_classes import TrafficClass, detect_internal_traffic
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.errors import FieldError, NotAllowed, TooLarge
from services.gateway.http.validation import (
    MAX_ERRORS_REPORTED,
    format_field_path,
    reject_too_many_fields,
    reject_unstorable,
    to_request_error,
)

MAX_BATCH_EVENTS = 10_000
ABOVE_USERS = frozenset({FeedbackSource.EXPERT, FeedbackSource.ENVIRONMENT})
"""Sources that win a conflict with what a user says."""
RETRACTS_FOR_ALL = frozenset({Scope.ANNOTATE, Scope.WRITE})
"""Scopes that retract what other keys gave."""
_BATCH = re.compile(rb'\s*\{\s*"events"\s*:')  # it has no other field


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """One event ready for the topic: its id, its contract and its bytes."""

    id: UUID
    body: FeedbackEvent
    payload: bytes
    submitted_by: str = ""


class BodyParser:
    """Reads one event, an array of them, or `{"events": [...]}` of one contract."""

    def __init__(self, contract: type[FeedbackEvent]) -> None:
        self.contract = contract
        self._single: TypeAdapter[FeedbackEvent] = TypeAdapter(contract)
        # The parser enforces the bound, so a longer list is not read to its end; and it stops at
        # the first invalid event, since ten thousand invalid ones make a million errors.
        most = Field(min_length=1, max_length=MAX_BATCH_EVENTS, fail_fast=True)
        events = Annotated[list[contract], most]  # type: ignore[valid-type]  # a type made at run time
        self._array: TypeAdapter[list[FeedbackEvent]] = TypeAdapter(events)
        batch = create_model("Batch", events=(events, ...))
        self._batch = TypeAdapter(batch)

    def read(self, body: bytes) -> list[FeedbackEvent]:
        """The events of a body. Unknown fields are refused: a typo must not lose a correction.

        Raises:
            MalformedBody: no JSON.
            Invalid: none or too many, or an event breaks a rule; the first that does is named by
                index, and its fields, up to twenty.
        """
        reject_unstorable(body)
        reject_too_many_fields(body)
        try:
            return self._parse(body)
        except ValidationError as error:
            raise to_request_error(error) from error

    def _parse(self, body: bytes) -> list[FeedbackEvent]:
        if body.lstrip()[:1] == b"[":
            return self._array.validate_json(body, extra="forbid")
        if not _BATCH.match(body):
            return [self._single.validate_json(body, extra="forbid")]
        batch = self._batch.validate_json(body, extra="forbid")
        events: list[FeedbackEvent] = batch.events  # type: ignore[attr-defined]  # made at run time
        return events


def estimate_rejected_events(body: bytes) -> int:
    """The number of events that a refused body is charged for, at least one.

    Estimated from its objects, or a tenth of its commas (an event has about ten fields): the cost
    of finding the error grows with these.
    """
    return max(1, body.count(b"{"), body.count(b",") // 10)


FEEDBACK = BodyParser(FeedbackReceived)
RETRACTIONS = BodyParser(FeedbackRetracted)
INTERACTIONS = BodyParser(InteractionLogged)
ANNOTATIONS = BodyParser(AnnotationSubmitted)


def prepare(
    events: Sequence[FeedbackEvent],
    *,
    caller: Caller,
    idempotency_key: str,
    limit: int,
    traffic_class: TrafficClass | None = None,
) -> list[OutgoingEvent]:
    """Events of the caller with deterministic ids: sending the same again changes nothing.

    `traffic_class` is the request's; it applies to every event that names none of its own.

    The id is what the event says itself (one label per interaction, source and API key), joined
    with the idempotency key where there is one.

    Raises:
        TooLarge: an event is larger than `limit` bytes.
        NotAllowed: it retracts what other keys gave, and the key may not.
    """
    prepared = []
    tenant_id, submitted_by = caller.tenant_id, caller.submitter
    for index, event in enumerate(events):
        # The tenant is the key's, whatever the body names; most bodies name none and need no copy.
        if event.tenant_id != tenant_id:
            event = event.model_copy(update={"tenant_id": tenant_id})
        if isinstance(event, FeedbackRetracted):
            event = _with_submitter(event, caller, index)
        event = with_traffic_class(event, traffic_class)
        payload = event.to_bytes()
        if len(payload) > limit:
            raise TooLarge(
                f"event [{index}] has {len(payload)} bytes; the most is {limit} "
                "(ARCHON_GATEWAY_EVENT_LIMIT_BYTES): shorten its input or answer"
            )
        event_id = _id(event, payload, submitted_by, idempotency_key)
        prepared.append(OutgoingEvent(event_id, event, payload, submitted_by))
    return prepared


def name_stored_events(events: Sequence[OutgoingEvent]) -> tuple[UUID, ...]:
    """The ids of those that will be stored, each once: not of internal traffic."""
    return tuple(
        dict.fromkeys(
            each.id
            for each in events
            if detect_internal_traffic({}, each.body.traffic_class, subject_of(each.body)) is None
        )
    )


def require_annotate_scope(
    caller: Caller, events: Sequence[FeedbackEvent], prefix: tuple[str | int, ...] = ()
) -> None:
    """Refuse sources that are believed before users, sent or retracted, and withdrawn annotations
    from a key without the scope `annotate`. What a guardrail says counts as a user's.

    Raises:
        NotAllowed: it lacks the scope; the first twenty fields that need it are named by index.
    """
    if Scope.ANNOTATE in caller.scopes:
        return
    message = "needs a key with the scope 'annotate'; without it send another source, such as user"
    found = [
        (index, event, "annotator_id" if _withdraws_label(event) else "source")
        for index, event in enumerate(events)
        if isinstance(event, FeedbackReceived | FeedbackRetracted)
        and (event.source in ABOVE_USERS or _withdraws_label(event))
    ][:MAX_ERRORS_REPORTED]
    if found:
        errors = [
            FieldError(format_field_path((*prefix, index, field)), "scope", message)
            for index, _, field in found
        ]
        _, first, field = found[0]
        value = repr(str(getattr(first, field)))
        reason = f"{errors[0].field}: {value} {message}; this key ({caller.name}) lacks it"
        raise NotAllowed(reason, errors)


def _withdraws_label(event: FeedbackEvent) -> bool:
    return isinstance(event, FeedbackRetracted) and event.annotator_id is not None


def _with_submitter(event: FeedbackRetracted, caller: Caller, index: int) -> FeedbackRetracted:
    """The retraction with whose feedback it concerns: the caller's, or all for a trusted key."""
    if RETRACTS_FOR_ALL & caller.scopes:
        return event.model_copy(update={"submitted_by": event.submitted_by or EVERY_SUBMITTER})
    if event.submitted_by not in (None, caller.submitter):
        message = "needs the scope 'annotate' or 'write'; leave it out to retract your own"
        field = format_field_path((index, "submitted_by"))
        raise NotAllowed(f"{field}: {message}", [FieldError(field, "scope", message)])
    return event.model_copy(update={"submitted_by": caller.submitter})


def _id(event: FeedbackEvent, payload: bytes, submitted_by: str, idempotency_key: str) -> UUID:
    own = event_id_of(event, submitted_by)
    if not idempotency_key:
        return own
    # With the content: what differs under a reused key is stored, not taken for a repetition.
    content = hashlib.sha256(payload).hexdigest()
    parts = event.tenant_id, idempotency_key, event.message_type(), own, content
    return derived_id("idempotency", *parts)
