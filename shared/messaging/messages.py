"""Messages as handlers get them: a typed body, its envelope, topic and offset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from pydantic import ValidationError

from archon_contracts import commands
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.catalogue import BY_TYPE
from archon_contracts.envelope import Envelope, HeaderView, record_time
from archon_contracts.identifiers import derived_id
from archon_contracts.rules.bounds import SATURATE
from shared.errors import UnknownMessageType, UnreadableMessage

T = TypeVar("T", bound=Contract, covariant=True)

RawHeaders = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a message is sent.

    `traceparent` is the W3C context to continue; empty, the current span is continued.
    """

    id: UUID
    correlation_id: str
    traceparent: str = ""


class RawRecord(NamedTuple):
    """A Kafka record as it was read; `timestamp` is the broker's, in milliseconds.

    Of one that cannot be decoded there is the reason, and some of its bytes as value.
    """

    # A named tuple, since one is made of every record: a frozen dataclass takes four times as long.

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: RawHeaders = ()
    timestamp: int = 0
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Message(Generic[T]):
    """One event or command."""

    body: T
    envelope: Envelope
    topic: str = ""
    partition: int = 0
    offset: int = 0
    key: str = ""
    headers: HeaderView = field(default_factory=HeaderView)

    @property
    def cause(self) -> Cause:
        """This message as the cause of others."""
        return Cause(self.envelope.id, self.envelope.correlation_id or str(self.envelope.id))


def read_message(record: RawRecord) -> Message[Contract]:
    """The typed message in a record.

    A sender may leave out `ce_id` and `ce_time`: the record's place and time stand in.

    Raises:
        UnknownMessageType: `ce_type` is absent or names no contract.
        UnreadableMessage: the body is no JSON of that contract; the text names the field.
    """
    headers = HeaderView.of(record.headers)
    body = read_body(find_contract(headers), record.value)
    envelope = Envelope.of(
        headers,
        absent_id=derived_id("record", record.topic, record.partition, record.offset),
        absent_time=record_time(record.timestamp),
    )
    key = (record.key or b"").decode(errors="replace")
    return Message(body, envelope, record.topic, record.partition, record.offset, key, headers)


def find_contract(headers: HeaderView) -> type[Contract]:
    """The contract that `ce_type` names.

    Raises:
        UnknownMessageType: it names none.
    """
    name = headers.text("ce_type")
    contract = BY_TYPE.get(name)
    if contract is None:
        problem = (
            f"header ce_type is {name!r}, which names no contract"
            if name
            else ("header ce_type is missing or unreadable")
        )
        raise UnknownMessageType(f"{problem}; see the message catalogue of archon-contracts")
    return contract


def read_body(contract: type[Contract], value: bytes | None) -> Contract:
    """The body as the contract's model.

    Raises:
        UnreadableMessage: null, no JSON, or a field that breaks a rule.
    """
    if value is None:
        raise UnreadableMessage(f"the body of {contract.__name__} is null (a tombstone)")
    try:
        return contract.model_validate_json(value, context=_reading_context(contract))
    except ValidationError as error:
        raise UnreadableMessage(
            f"{contract.__name__}: {describe_validation_error(error)}"
        ) from error


def _reading_context(contract: type[Contract]) -> dict[str, bool] | None:
    """A fact was accepted once, so a number above a newer bound is read as it; a command is not."""
    return None if contract.__module__.startswith(commands.__name__) else SATURATE


class _TenantField(ValueObject):
    """The part of every body that names its tenant."""

    tenant_id: Name = Contract.model_fields["tenant_id"].default


def read_tenant_id(body: bytes | None) -> str:
    """The message's tenant, of any contract; empty when the body cannot be read."""
    try:
        return _TenantField.model_validate_json(body or b"").tenant_id
    except ValidationError:
        return ""


def describe_validation_error(error: ValidationError) -> str:
    """Field and rule of each problem in one line, without the input."""
    # Inputs are what users wrote: they stay out of logs and dead letters.
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    parts = []
    # A body can break thousands of rules; a log line and a dead letter's header stay short.
    for problem in problems[:5]:
        place = ".".join(str(part) for part in problem["loc"]) or "body"
        parts.append(f"{place}: {problem['msg']}")
    if len(problems) > len(parts):
        parts.append(f"and {len(problems) - len(parts)} more")
    return "; ".join(parts)
