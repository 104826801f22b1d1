"""A broker that is away while commands keep coming: refused in time, read as ever, taken again."""

import asyncio
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from shared.kafka.topic_admin import ensure_topics
from tests.support.eventually import eventually
from tests.support.gateway.gateway import KEY, ServedGateway, served_gateway
from tests.support.infrastructure.brokers import Broker, make_broker

pytestmark = pytest.mark.broker


async def started_broker(folder: Path) -> Broker:
    broker = make_broker(folder)
    await broker.start()
    await ensure_topics(broker.bootstrap_servers)
    return broker


async def send_command(gateway: ServedGateway, agent: str) -> httpx.Response:
    return await gateway.http.post("/v1/jobs", json={"agent_id": agent, "method": "supervised"})


async def test_commands_are_refused_while_too_many_wait_and_taken_when_the_broker_is_back(
    database_url: str, tmp_path: Path
) -> None:
    broker = await started_broker(tmp_path / "broker")
    served = served_gateway(
        database_url,
        broker.bootstrap_servers,
        tmp_path / "artifacts",
        gateway_outbox_backlog_limit=5,
        gateway_outbox_age_limit_seconds=0,
        gateway_outbox_poll_seconds=0.05,
    )
    async with served as gateway:
        agent = await gateway.configure_agent(f"agent-{uuid4().hex}")
        await broker.stop()
        answers: list[httpx.Response] = []

        async def refused() -> bool:
            answers.append(await send_command(gateway, agent))
            return answers[-1].status_code == 429

        await eventually(refused, timeout=30)
        status = await gateway.get("/v1/status")
        jobs = await gateway.get("/v1/jobs", agent_id=agent)
        await broker.start()

        async def served_again() -> None:
            assert (await send_command(gateway, agent)).status_code == 202

        await eventually(served_again, timeout=30)

        # The one just taken may be one too many again, until the others are published.
        async def sheds_nothing() -> None:
            assert (await gateway.get("/v1/status"))["shedding"] == []

        await eventually(sheds_nothing, timeout=30)

    await broker.stop()
    *taken, shed = answers
    assert {answer.status_code for answer in taken} == {202}
    assert shed.json()["limit"] == "outbox_backlog"
    assert 1 <= int(shed.headers["retry-after"]) <= 60
    assert [(s["refused"], s["limit"]) for s in status["shedding"]] == [
        ("commands", "outbox_backlog")
    ]
    # Reads go on, and what was taken before is all there.
    assert {job["job_id"] for job in jobs["items"]} == {answer.json()["job_id"] for answer in taken}
    assert len(taken) >= 5


async def test_one_command_that_waits_too_long_is_enough(database_url: str, tmp_path: Path) -> None:
    broker = await started_broker(tmp_path / "broker")
    served = served_gateway(
        database_url,
        broker.bootstrap_servers,
        tmp_path / "artifacts",
        gateway_outbox_age_limit_seconds=0.5,
        gateway_outbox_poll_seconds=0.05,
    )
    async with served as gateway:
        agent = await gateway.configure_agent(f"agent-{uuid4().hex}")
        await broker.stop()
        first = await send_command(gateway, agent)

        answers: list[httpx.Response] = []

        async def refused() -> bool:
            rollback = f"/v1/agents/{agent}/rollback"
            answers.append(await gateway.http.post(rollback, json={"reason": "test"}))
            return answers[-1].status_code == 429

        await eventually(refused, timeout=30)
        read = await gateway.http.get(f"/v1/jobs/{first.json()['job_id']}")
        dataset = await gateway.http.post(
            "/v1/datasets",
            json={"name": "d", "purpose": "training", "items": [{"input": "q", "target": "t"}]},
        )
        await broker.start()

        async def served_again() -> None:
            assert (await send_command(gateway, agent)).status_code == 202

        await eventually(served_again, timeout=30)

    await broker.stop()
    assert first.status_code == 202
    assert answers[-1].json()["limit"] == "outbox_age_seconds"
    assert (read.status_code, dataset.status_code) == (200, 201)


async def test_unacknowledged_feedback_is_refused_above_the_limit(
    database_url: str, tmp_path: Path
) -> None:
    broker = await started_broker(tmp_path / "broker")
    served = served_gateway(
        database_url,
        broker.bootstrap_servers,
        tmp_path / "artifacts",
        gateway_ack_timeout_seconds=3.0,
        gateway_inflight_events_limit=10,
        gateway_inflight_tenant_fraction=1.0,
    )
    async with served as gateway:
        agent = await gateway.configure_agent(f"agent-{uuid4().hex}")
        await broker.stop()

        answers = await asyncio.gather(*(_feedback(gateway, agent, n) for n in range(6)))

        await broker.start()

        async def served_again() -> None:
            assert (await _feedback(gateway, agent, 7)).status_code == 202

        await eventually(served_again, timeout=30)
    await broker.stop()
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [429, 429, 429, 503, 503, 503]
    shed = [answer for answer in answers if answer.status_code == 429]
    assert {answer.json()["limit"] for answer in shed} == {"inflight_events"}
    assert {answer.headers["retry-after"] for answer in shed} == {"1"}


async def _feedback(gateway: ServedGateway, agent: str, number: int) -> httpx.Response:
    events = [
        {"agent_id": agent, "interaction_id": f"{number}-{n}", "input": "q", "rating": 1}
        for n in range(3)
    ]
    return await gateway.http.post("/v1/feedback", json=events)


async def test_slow_bodies_reserve_nothing_and_time_out(
    database_url: str, kafka: str, tmp_path: Path
) -> None:
    await ensure_topics(kafka)
    served = served_gateway(
        database_url,
        kafka,
        tmp_path,
        gateway_inflight_bytes_limit=2000,
        gateway_body_timeout_seconds=2.0,
    )
    async with served as gateway:
        agent = await gateway.configure_agent(f"agent-{uuid4().hex}")
        slow = [await half_sent(gateway) for _ in range(8)]

        taken = await _feedback(gateway, agent, 1)
        answers = [await reader.read() for reader, _ in slow]  # to the end of the connection
        shedding = (await gateway.get("/v1/status"))["shedding"]
        for _, writer in slow:
            writer.close()

    assert (taken.status_code, shedding) == (202, [])
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
    assert all(b"application/problem+json" in answer for answer in answers)
    assert b"within 2 s" in answers[0]


async def half_sent(gateway: ServedGateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A feedback request that stops after the first byte of its body."""
    url = gateway.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST /v1/feedback HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {KEY}\r\n"
    writer.write(f"{head}Content-Length: 1900\r\n\r\n[".encode())
    await writer.drain()
    return reader, writer


async def test_a_client_disconnect_during_the_body_is_no_server_error(
    database_url: str, kafka: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await ensure_topics(kafka)
    async with served_gateway(database_url, kafka, tmp_path) as gateway:
        with capture_logs() as logs:
            _, writer = await half_sent(gateway)
            writer.close()

            async def is_reported() -> bool:
                return any(line["event"] == "client_disconnected" for line in logs)

            await eventually(is_reported)

    assert "request_failed" not in {line["event"] for line in logs}
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_database_that_is_away_is_unavailable_and_not_shed(
    database_url: str, kafka: str, tmp_path: Path
) -> None:
    await ensure_topics(kafka)
    served = served_gateway(database_url, kafka, tmp_path, gateway_outbox_poll_seconds=0.05)
    async with served as gateway:
        agent = await gateway.configure_agent(f"agent-{uuid4().hex}")
        await gateway.application.service_context.database.close()

        answer = await send_command(gateway, agent)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
