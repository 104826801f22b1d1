"""Feedback bodies as events with ids: the bytes are parsed once, a batch is accepted as a whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError, create_model

from archon_contracts.event_ids import FeedbackEvent, event_id_of, with_traffic_class
from archon_contracts.events import (
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    FeedbackSource,
    InteractionLogged,
)
from archon_contracts.identifiers import derived_id
from archon_contracts.traffic_classes import TrafficClass
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
_BATCH = re.compile(rb'\s*\{\s*"events"\s*:')  # it has no other field


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """One event ready for the topic: its id, its contract and its bytes."""

    id: UUID
    body: FeedbackEvent
    payload: bytes


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
    tenant_id: str,
    idempotency_key: str,
    limit: int,
    traffic_class: TrafficClass | None = None,
) -> list[OutgoingEvent]:
    """Events of this tenant with deterministic ids: sending the same again changes nothing.

    `traffic_class` is the request's; it applies to every event that names none of its own.

    The id is what the event says itself (one label per interaction and source), joined with
    the idempotency key where there is one.

    Raises:
        TooLarge: an event is larger than `limit` bytes.
    """
    prepared = []
    for index, event in enumerate(events):
        if event.tenant_id != tenant_id:
            event = event.model_copy(update={"tenant_id": tenant_id})
        event = with_traffic_class(event, traffic_class)
        payload = event.to_bytes()
        if len(payload) > limit:
            raise TooLarge(f"event [{index}] has {len(payload)} bytes; the most is {limit}")
        prepared.append(OutgoingEvent(_id(event, idempotency_key), event, payload))
    return prepared


def require_annotate_scope(
    caller: Caller, events: Sequence[FeedbackEvent], prefix: tuple[str | int, ...] = ()
) -> None:
    """Refuse expert feedback, sent or retracted, from a key without the scope `annotate`.

    Raises:
        NotAllowed: it lacks the scope; the first twenty fields that need it are named by index.
    """
    if Scope.ANNOTATE in caller.scopes:
        return
    message = "needs a key with the scope 'annotate'; without it send another source, such as user"
    errors = [
        FieldError(format_field_path((*prefix, index, "source")), "scope", message)
        for index, event in enumerate(events)
        if isinstance(event, FeedbackReceived | FeedbackRetracted)
        and event.source == FeedbackSource.EXPERT
    ][:MAX_ERRORS_REPORTED]
    if errors:
        reason = f"{errors[0].field}: 'expert' {message}; this key ({caller.name}) lacks it"
        raise NotAllowed(reason, errors)


def _id(event: FeedbackEvent, idempotency_key: str) -> UUID:
    own = event_id_of(event)
    if not idempotency_key:
        return own
    # Not the key and a position alone: other feedback under a reused key would then be taken for
    # a duplicate, and lost.
    return derived_id("idempotency", event.tenant_id, idempotency_key, event.message_type(), own)
