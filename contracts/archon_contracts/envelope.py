"""CloudEvents 1.0 in Kafka's binary mode: attributes as `ce_` headers, the body as plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from archon_contracts.identifiers import derived_id

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"

Headers = list[tuple[str, bytes]]

MAXIMUM_TIMESTAMP_MS: Final = 253_370_764_800_000
"""The year 9999 begins: Python and PostgreSQL can hold it, in any time zone."""


def record_time(timestamp_ms: int) -> datetime:
    """A Kafka record's timestamp as a time from 1970 to 9999; a producer may write any integer."""
    return datetime.fromtimestamp(min(max(timestamp_ms, 0), MAXIMUM_TIMESTAMP_MS) / 1000, tz=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The attributes of one event. `causation_id` is the message that led to this one.

    `traffic_class` is empty for production. `submitted_by` is the API key that an event of the
    feedback topic came with; empty where it came straight over Kafka, from `source`.
    """

    id: UUID
    source: str
    type: str
    time: datetime
    subject: str = ""
    causation_id: UUID | None = None
    correlation_id: str = ""
    traceparent: str = ""
    tracestate: str = ""
    traffic_class: str = ""
    submitted_by: str = ""

    @classmethod
    def of(cls, headers: HeaderView, *, absent_id: UUID, absent_time: datetime) -> Envelope:
        """Read the attributes; the `absent_` values stand in for those that are missing.

        CloudEvents allows any text as an id. One that is no UUID is mapped to one, together with
        the source, so that the same event always gets the same id.
        """
        source, provided_id = headers.text("ce_source"), headers.text("ce_id")
        mapped = derived_id("event", source, provided_id) if provided_id else absent_id
        return cls(
            id=headers.uuid("ce_id") or mapped,
            source=source,
            type=headers.text("ce_type"),
            time=headers.time("ce_time") or absent_time,
            subject=headers.text("ce_subject"),
            causation_id=headers.uuid("ce_causationid"),
            correlation_id=headers.text("ce_correlationid"),
            traceparent=headers.text("traceparent"),
            tracestate=headers.text("tracestate"),
            traffic_class=headers.text("ce_trafficclass"),
            submitted_by=headers.text("ce_submittedby"),
        )

    def to_headers(self) -> Headers:
        """Kafka headers; empty attributes are left out."""
        attributes = {
            "ce_specversion": SPEC_VERSION,
            "ce_id": str(self.id),
            "ce_source": self.source,
            "ce_type": self.type,
            "ce_time": self.time.astimezone(UTC).isoformat(),
            "ce_subject": self.subject,
            "ce_causationid": str(self.causation_id or ""),
            "ce_correlationid": self.correlation_id,
            "traceparent": self.traceparent,
            "tracestate": self.tracestate,
            "ce_trafficclass": self.traffic_class,
            "ce_submittedby": self.submitted_by,
            "content-type": CONTENT_TYPE,
        }
        return [(name, value.encode()) for name, value in attributes.items() if value]


@dataclass(frozen=True, slots=True)
class HeaderView:
    """Headers as text, however they came: null and non-UTF-8 values are dropped and named."""

    values: Mapping[str, str] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()

    @classmethod
    def of(cls, headers: Iterable[tuple[str, bytes | None]]) -> HeaderView:
        """Read raw Kafka headers; the last value of a repeated name wins."""
        values: dict[str, str] = {}
        unreadable: list[str] = []
        for name, raw in headers:
            try:
                values[name.lower()] = (raw or b"").decode("utf-8")
            except UnicodeDecodeError:
                unreadable.append(name)
            else:
                if raw is None:
                    unreadable.append(name)
        return cls(values, tuple(unreadable))

    def text(self, name: str) -> str:
        """The header's value, or an empty string."""
        return self.values.get(name, "")

    def uuid(self, name: str) -> UUID | None:
        """The header as a UUID, or None when it is absent or is none."""
        try:
            return UUID(self.text(name))
        except ValueError:
            return None

    def time(self, name: str) -> datetime | None:
        """The header as an aware time, or None when it is absent, unreadable or out of range."""
        try:
            moment = datetime.fromisoformat(self.text(name))
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            aware.astimezone(UTC)  # at the ends of the calendar there is no such time
        except (ValueError, OverflowError):
            return None
        return aware
