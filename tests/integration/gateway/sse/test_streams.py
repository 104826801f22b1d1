"""Server-sent events, dead letters and spans."""

import asyncio
import gzip
import json
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from archon_contracts.events import JobFailed, JobState, JobStateChanged
from archon_contracts.identifiers import new_id
from archon_contracts.topics import FEEDBACK, dead_letters
from tests.support.eventually import eventually
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def name() -> str:
    return f"agent-{uuid4().hex[:12]}"


def failed(agent: str, reason: str) -> JobFailed:
    return JobFailed(job_id=new_id(), agent_id=agent, reason=reason)


async def read_events(
    gateway: ServedGateway, count: int, **request: object
) -> list[dict[str, str]]:
    """The first events of a stream, as field -> value."""
    events: list[dict[str, str]] = []
    async with gateway.http.stream("GET", "/v1/events", **request) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        async with aclosing(response.aiter_lines()) as lines:
            async for line in lines:
                if ": " in line and not line.startswith(":"):
                    key, value = line.split(": ", 1)
                    fields[key] = value
                elif not line and fields:
                    events.append(fields)
                    fields = {}
                if len(events) == count:
                    return events
    return events


async def publish_and_see(gateway: ServedGateway, event: JobFailed) -> UUID:
    (event_id,) = await gateway.publish(event)
    await eventually(lambda: seen(gateway, event_id))
    return event_id


async def seen(gateway: ServedGateway, event_id: UUID) -> bool:
    async with gateway.application.service_context.database.across_tenants() as connection:
        found = await connection.fetchval(
            "SELECT count(*) FROM recent_events WHERE event_id = $1", event_id
        )
    return found == 1


async def test_a_stream_shows_events_as_they_come(gateway: ServedGateway, name: str) -> None:
    other = failed(f"other-{name}", "not mine")
    reading = asyncio.create_task(read_events(gateway, 1, params={"agent_id": name}))
    hub = next(part for part in gateway.application._background if part.name == "event-hub")
    await eventually(lambda: bool(hub._subscribers))

    await gateway.publish(other)
    (event_id,) = await gateway.publish(failed(name, "mine"))

    (event,) = await asyncio.wait_for(reading, 10)
    assert (event["id"], event["event"]) == (str(event_id), "JobFailed")
    assert json.loads(event["data"])["reason"] == "mine"


async def test_a_stream_resumes_after_the_last_event_that_was_read(
    gateway: ServedGateway, name: str
) -> None:
    # One after the other: only then is their order given.
    first, *missed = [await publish_and_see(gateway, failed(name, reason)) for reason in "abc"]

    events = await asyncio.wait_for(
        read_events(gateway, 2, params={"agent_id": name}, headers={"Last-Event-ID": str(first)}),
        10,
    )

    assert [event["id"] for event in events] == [str(event_id) for event_id in missed]


async def test_an_unknown_event_type_is_refused_with_those_that_are_known(
    gateway: ServedGateway,
) -> None:
    response = await gateway.http.get("/v1/events", params={"types": "JobFailed,Gossip"})

    assert response.status_code == 422
    assert "JobCompleted" in response.json()["detail"]


async def dead_letter(gateway: ServedGateway, body: bytes, topic: str = FEEDBACK.name) -> str:
    """Put a dead letter on the coordinator's topic; returns its id."""
    headers = [
        ("ce_type", b"archon.FeedbackReceived.v1"),
        ("odd", b"\xff\xfe"),
        ("dlq_reason", b"the body is no JSON"),
        ("dlq_error_type", b"UnreadableMessage"),
        ("dlq_attempts", b"1"),
        ("dlq_service", b"coordinator"),
        ("dlq_topic", topic.encode()),
        ("dlq_partition", b"3"),
        ("dlq_offset", b"41"),
    ]
    sent = await gateway.producer.send_and_wait(
        dead_letters("coordinator").name, body, key=b"default/x", headers=headers, partition=0
    )
    letter_id = f"coordinator:{sent.partition}:{sent.offset}"

    async def kept() -> bool:
        return (await gateway.http.get(f"/v1/dead-letters/{letter_id}")).status_code == 200

    await eventually(kept)
    return letter_id


async def test_a_dead_letter_is_kept_with_its_bytes_and_reason(gateway: ServedGateway) -> None:
    letter_id = await dead_letter(gateway, b"\xff not json")

    letter = await gateway.get(f"/v1/dead-letters/{letter_id}")

    assert (letter["reason"], letter["offset"]) == ("the body is no JSON", 41)
    assert (letter["body_encoding"], letter["headers"]["odd"]) == ("base64", "//4=")
    listed = (await gateway.get("/v1/dead-letters", service="coordinator"))["items"]
    assert letter_id in [item["id"] for item in listed]
    assert (await gateway.get("/v1/status"))["dead_letters"]["coordinator"] >= 1


async def test_a_replayed_dead_letter_is_on_its_topic_again_as_it_was(
    gateway: ServedGateway,
) -> None:
    marker = uuid4().hex.encode()
    letter_id = await dead_letter(gateway, marker + b"\xff")

    for _ in range(2):  # a repeated request replays once
        response = await gateway.http.post(
            f"/v1/dead-letters/{letter_id}/replay", headers={"Idempotency-Key": letter_id}
        )
        assert (response.status_code, response.json()["replay"]) == (202, 1)

    async def replayed() -> None:
        (record,) = await gateway.records(FEEDBACK, marker)
        assert (record.value, record.key) == (marker + b"\xff", b"default/x")
        assert dict(record.headers)["odd"] == b"\xff\xfe"
        assert not [key for key, _ in record.headers if key.startswith("dlq_")]

    await eventually(replayed)
    assert (await gateway.get(f"/v1/dead-letters/{letter_id}"))["replays"] == 1


async def test_who_replayed_a_dead_letter_is_in_the_audit_trail(gateway: ServedGateway) -> None:
    letter_id = await dead_letter(gateway, uuid4().hex.encode())

    await gateway.http.post(f"/v1/dead-letters/{letter_id}/replay")

    async def recorded() -> None:
        found = await gateway.get("/v1/audit", action="dead_letter_replayed")
        entries = [entry for entry in found["items"] if entry["subject"] == letter_id]
        assert len(entries) == 1
        (entry,) = entries
        assert entry["actor"].startswith("bootstrap (key ")
        assert entry["details"]["topic"] == FEEDBACK.name
        assert entry["details"]["replay"] == "1"

    await eventually(recorded)


async def test_a_dead_letter_of_a_foreign_topic_is_not_replayed(gateway: ServedGateway) -> None:
    letter_id = await dead_letter(gateway, b"x", topic="__consumer_offsets")

    response = await gateway.http.post(f"/v1/dead-letters/{letter_id}/replay")

    assert response.status_code == 409


def exported_spans(trace_id: str) -> bytes:
    """An agent's span and its child, whose other parent never came."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "agent"
    scope = group.scope_spans.add()
    start = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1e9)
    for number, parent in ((1, b""), (2, b"\x01".rjust(8)), (3, b"missing!")):
        span = scope.spans.add(
            trace_id=bytes.fromhex(trace_id),
            span_id=bytes([number]).rjust(8),
            parent_span_id=parent,
            name=f"span {number}",
        )
        span.start_time_unix_nano = start + number
        span.end_time_unix_nano = start + 1000
    return request.SerializeToString()


async def test_exported_spans_are_in_the_trace_of_their_job(
    gateway: ServedGateway, name: str
) -> None:
    job, trace_id = new_id(), uuid4().hex
    await gateway.publish(
        JobStateChanged(
            job_id=job,
            agent_id=name,
            method="continual",
            to_state=JobState.QUEUED,
            attempt=1,
            occurred_at=datetime.now(UTC),
            trace_id=trace_id,
        )
    )
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}

    response = await gateway.http.post(
        "/v1/traces", content=gzip.compress(exported_spans(trace_id)), headers=headers
    )

    assert (response.status_code, response.content) == (200, b"")

    async def shown() -> None:
        trace = await gateway.get(f"/v1/jobs/{job}/trace")
        assert [span["name"] for span in trace["spans"]] == ["span 1", "span 2", "span 3"]
        assert trace["orphans"] == [b"\x03".rjust(8).hex()]
        assert trace["services"] == ["agent"]

    await eventually(shown)


async def test_spans_in_a_form_that_is_not_read_are_refused(gateway: ServedGateway) -> None:
    headers = {"Content-Type": "text/plain"}

    response = await gateway.http.post("/v1/traces", content=b"{}", headers=headers)

    assert response.status_code == 415


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8"])
async def test_spans_as_json_are_answered_as_json(gateway: ServedGateway, media_type: str) -> None:
    headers = {"Content-Type": media_type}

    response = await gateway.http.post(
        "/v1/traces", content=b'{"resourceSpans": []}', headers=headers
    )

    assert (response.status_code, response.json()) == (200, {})


async def test_a_stream_that_cannot_resume_without_a_gap_says_so(gateway: ServedGateway) -> None:
    gone = str(new_id())

    (event,) = await asyncio.wait_for(
        read_events(gateway, 1, headers={"Last-Event-ID": gone}),
        10,
    )

    assert event["event"] == "EventsMissed"
    assert gone in json.loads(event["data"])["detail"]
    assert "id" not in event
