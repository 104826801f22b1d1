"""Feedback bodies as events with ids: one parse of the raw bytes, all of a batch or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError, create_model
from pydantic_core import ErrorDetails

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
from services.gateway.errors import FieldError, Invalid, MalformedBody, NotAllowed, TooLarge
from services.gateway.http.field_limit import TOO_MANY_FIELDS, exceeds_field_limit

MAX_BATCH_EVENTS = 10_000
MAX_ERRORS_REPORTED = 20
MAX_ERRORS_BUILT = 100
MAX_IDEMPOTENCY_KEY_LENGTH = 200
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # not after an escaped backslash
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
        # The bound is the parser's, which stops there: a longer list is not read to its end.
        # And the first event that is wrong is enough: ten thousand of them are a million errors.
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


def reject_unstorable(body: bytes) -> None:
    """Refuse what the parser takes but the system could not keep as it is.

    NaN and Infinity are no JSON and would arrive as null; PostgreSQL has no NUL character.

    Raises:
        MalformedBody: the body holds one of them.
    """
    if b"NaN" in body or b"Infinity" in body:
        try:
            json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise MalformedBody(f"the body is no JSON: {str(error)[:200]}") from error
    if b"\\u0000" in body and _NUL.search(body):
        raise MalformedBody("the body holds the NUL character, \\u0000; leave it out")


def reject_too_many_fields(body: bytes) -> None:
    """Refuse what would be an error for each of its very many fields.

    Raises:
        Invalid: the body, or an event of it, has absurdly many.
    """
    if exceeds_field_limit(body):
        raise Invalid([FieldError("body", "too_many_fields", TOO_MANY_FIELDS)])


def estimate_rejected_events(body: bytes) -> int:
    """How many events a refused body counts for: as many as it could have held, at least one.

    Its objects, or a tenth of its commas (an event has about ten fields; texts have commas too):
    what it costs to find out that a body is wrong goes with these.
    """
    return max(1, body.count(b"{"), body.count(b",") // 10)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def to_request_error(error: ValidationError, prefix: tuple[str | int, ...] = ()) -> Exception:
    """Our error for pydantic's: fields and rules, never the input."""
    if (count := error.error_count()) > MAX_ERRORS_BUILT:
        # To tell twenty of a million, pydantic would build all of them.
        message = f"{count} fields break a rule; send what the contract says"
        return Invalid([FieldError(format_field_path(prefix), "too_many_errors", message)])
    details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        return MalformedBody(f"the body is no JSON: {details[0]['msg']}")
    return Invalid([to_field_error(detail, prefix) for detail in details[:MAX_ERRORS_REPORTED]])


def to_field_error(detail: ErrorDetails, prefix: tuple[str | int, ...] = ()) -> FieldError:
    """One of pydantic's errors as a field, a rule and a sentence."""
    return FieldError(format_field_path((*prefix, *detail["loc"])), detail["type"], detail["msg"])


def format_field_path(location: Sequence[str | int]) -> str:
    """`("events", 3, "rating")` as `events[3].rating`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else str(part)
    return path[:200] or "body"


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

    `traffic_class` is the request's; it goes for every event that names none of its own.

    The id is what the event says itself (one label per interaction and source), joined with
    the idempotency key where there is one.

    Raises:
        Invalid: the idempotency key is too long.
        TooLarge: an event is larger than `limit` bytes.
    """
    require_short(idempotency_key)
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
    """Refuse an expert's word, sent or retracted, from a key that may not speak for experts.

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


def require_short(idempotency_key: str) -> str:
    """The key, if it is no longer than one needs to be.

    Raises:
        Invalid: it is.
    """
    if len(idempotency_key) > MAX_IDEMPOTENCY_KEY_LENGTH:
        message = f"use at most {MAX_IDEMPOTENCY_KEY_LENGTH} characters"
        raise Invalid([FieldError("Idempotency-Key", "too_long", message)])
    return idempotency_key


def _id(event: FeedbackEvent, idempotency_key: str) -> UUID:
    own = event_id_of(event)
    if not idempotency_key:
        return own
    # Never the key and a position alone: other feedback under a key that was used before would
    # then be taken for a repetition, and lost.
    return derived_id("idempotency", event.tenant_id, idempotency_key, event.message_type(), own)
