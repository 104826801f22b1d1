"""A whole system under DEBUG, with failures provoked: no secret is written down anywhere."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from deploy.local.runtime import Runtime
from deploy.local.settings import LocalSettings
from shared.messaging.outbox import decode_headers
from tests.support.data.tiny_world import agent, held_out_items
from tests.support.eventually import eventually
from tests.support.infrastructure.command_lines import command_lines_below
from tests.support.infrastructure.system import publish_raw_feedback

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

DATABASE_PASSWORD = "MARKdatabasepassword"
SUPERUSER_PASSWORD = "MARKsuperuserpassword"
API_KEY = "MARK-api-key-of-the-first-tenant"
WRONG_KEY = "MARK-api-key-of-a-stranger"
SIGNING_KEY = "5ec4e7" * 10 + "5ec4"
GATEWAY_MAC_KEY = "6a7e3a" * 10 + "6a7e"
SAMPLING_SECRET = "5a3b1e" * 10 + "5a3b"
SASL_PASSWORD = "MARK-sasl-password"
KEY_PASSWORD = "MARK-password-of-a-key"
IN_A_QUERY = "MARK-in-a-query"
IN_A_BODY = "MARK-in-a-body"
SECRETS = (
    *(DATABASE_PASSWORD, SUPERUSER_PASSWORD, API_KEY, WRONG_KEY, SIGNING_KEY, SAMPLING_SECRET),
    *(GATEWAY_MAC_KEY, SASL_PASSWORD, KEY_PASSWORD, IN_A_QUERY, IN_A_BODY),
)
SERVICES = ("gateway", "coordinator", "registry")
TABLES = ("spans", "logs", "metrics")


@dataclass(frozen=True, slots=True)
class Observed:
    """The running system, and every HTTP answer that it gave."""

    runtime: Runtime
    data_dir: Path
    answers: list[httpx.Response]

    @property
    def database_url(self) -> str:
        return self.runtime.endpoints.database_url

    async def send(self, method: str, path: str, *, key: str = API_KEY, **request: object) -> int:
        """One request; its answer is kept."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = self.runtime.endpoints.gateway_url
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
            answer = await client.request(method, path, **request)
        self.answers.append(answer)
        return answer.status_code

    async def rows(self, query: str) -> list[str]:
        """Each row of a query as text."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return [str(tuple(row)) for row in await connection.fetch(query)]
        finally:
            await connection.close()


def found(texts: Iterable[tuple[str, str]]) -> list[str]:
    """Where a secret shows: the place, and which one it is."""
    return [f"{place}: {secret}" for place, text in texts for secret in SECRETS if secret in text]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def observed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Observed]:
    """A system whose secrets are known to the test, after a bad day."""
    data_dir = tmp_path_factory.mktemp("secrets")
    for name, secret in (
        ("api-key", API_KEY),
        ("signing-key", SIGNING_KEY),
        ("sampling-secret", SAMPLING_SECRET),
        ("gateway-mac-key", GATEWAY_MAC_KEY),
        ("postgres/password", DATABASE_PASSWORD),
        ("postgres/superuser-password", SUPERUSER_PASSWORD),
    ):
        path = data_dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(secret)
        path.chmod(0o600)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ARCHON_LOG_LEVEL", "DEBUG")
        environment.setenv("ARCHON_KAFKA_SASL_USERNAME", "archon")
        environment.setenv("ARCHON_KAFKA_SASL_PASSWORD", SASL_PASSWORD)
        environment.setenv("ARCHON_KAFKA_SSL_KEY_PASSWORD", KEY_PASSWORD)
        async with Runtime(LocalSettings(data_dir=data_dir, services=SERVICES)) as runtime:
            system = Observed(runtime, data_dir, [])
            await a_bad_day(system)
            yield system


async def a_bad_day(system: Observed) -> None:
    """Wrong keys, broken bodies, poison on the topic, a database and a broker that go away."""
    held_out = {"name": "held-out", "purpose": "evaluation", "items": held_out_items()}
    assert await system.send("POST", "/v1/datasets", json=held_out) == httpx.codes.CREATED
    profile = agent("picker", "file:///none", steps=1)
    assert await system.send("POST", "/v1/agents", json=profile) == httpx.codes.CREATED
    await a_guess_at_the_key(system)
    await broken_requests(system)
    poison = {"agent_id": "picker", "interaction_id": "i", "input": IN_A_BODY, "rating": IN_A_BODY}
    await publish_raw_feedback(system.runtime.endpoints.kafka_bootstrap_servers, poison)
    await eventually(lambda: has_a_dead_letter(system), timeout=60)
    # The broker gets to save: kill -9 of one so young would cost it its topics.
    for part, number in (("postgres", signal.SIGKILL), ("broker", signal.SIGTERM)):
        system.runtime.kill(part, number)
        await system.send("GET", f"/v1/agents/picker?token={IN_A_QUERY}")
        await system.send("POST", "/v1/feedback", json=feedback_body(rating=4))
        await eventually(lambda: is_back(system), timeout=60)


async def a_guess_at_the_key(system: Observed) -> None:
    for path in ("/v1/agents", f"/v1/jobs?api_key={IN_A_QUERY}", f"/v1/agents/{IN_A_QUERY}"):
        assert await system.send("GET", path, key=WRONG_KEY) == httpx.codes.UNAUTHORIZED


async def broken_requests(system: Observed) -> None:
    refused = [
        await system.send("POST", "/v1/feedback", json=feedback_body(rating=IN_A_BODY)),
        await system.send("POST", "/v1/feedback", json=feedback_body(unknown_field=IN_A_BODY)),
        await system.send("POST", "/v1/feedback", content=b'{"input": "' + IN_A_BODY.encode()),
        await system.send(
            "POST", "/v1/feedback", json={"events": [feedback_body(reward=IN_A_BODY)]}
        ),
        await system.send("POST", "/v1/agents", json={"agent_id": "x", "kind": IN_A_BODY}),
        await system.send("POST", "/v1/jobs", json={"agent_id": "picker", "config": IN_A_BODY}),
        await system.send("POST", "/v1/datasets", json={"name": "d", "items": [IN_A_BODY]}),
        await system.send("POST", "/v1/functions/trainAgent", json={"agent_id": [IN_A_BODY]}),
        await system.send("GET", f"/v1/jobs?limit={IN_A_QUERY}"),
    ]
    assert {status // 100 for status in refused} <= {2, 4}
    assert len([status for status in refused if status // 100 == 4]) >= 7


def feedback_body(**fields: object) -> dict[str, object]:
    return {"agent_id": "picker", "interaction_id": "i", "input": IN_A_BODY, **fields}


async def has_a_dead_letter(system: Observed) -> bool:
    return bool(await system.rows("SELECT 1 FROM gateway.dead_letters"))


async def is_back(system: Observed) -> bool:
    return all(status.ready for status in system.runtime.status()) and (
        await system.send("POST", "/v1/feedback", json=feedback_body(rating=4))
        == httpx.codes.ACCEPTED
    )


async def test_no_log_file_holds_a_secret(observed: Observed) -> None:
    logs = sorted((observed.data_dir / "log").glob("*"))

    assert {path.stem for path in logs} >= {*SERVICES, "postgres", "broker"}
    assert found((path.name, path.read_text(errors="replace")) for path in logs) == []


async def test_a_bad_day_is_in_the_logs(observed: Observed) -> None:
    """Or the test before this one would prove nothing."""
    logs = {name: (observed.data_dir / "log" / f"{name}.log").read_text() for name in SERVICES}

    assert all("service_started" in text for text in logs.values())
    assert "dead_letter" in logs["coordinator"]
    assert "not reachable" in "".join(logs.values())


@pytest.mark.parametrize("table", TABLES)
async def test_no_telemetry_holds_a_secret(observed: Observed, table: str) -> None:
    rows = await observed.rows(f"SELECT t::text FROM telemetry.{table} AS t")

    assert rows or table == "metrics", "metrics come from trainings, of which there is none here"
    assert found((table, row) for row in rows) == []


@pytest.mark.parametrize("service", SERVICES)
async def test_no_header_of_a_message_and_no_noted_error_holds_a_secret(
    observed: Observed, service: str
) -> None:
    connection = await asyncpg.connect(observed.database_url)
    sent = await connection.fetch(f"SELECT topic, headers::text AS headers FROM {service}.outbox")
    await connection.close()
    headers = [str(decode_headers(json.loads(row["headers"]))) for row in sent]
    errors = await observed.rows(f"SELECT error FROM {service}.work")
    tries = await observed.rows(f"SELECT t::text FROM {service}.deliveries AS t")

    assert found(("message", row) for row in (*headers, *errors, *tries)) == []
    if service == "coordinator":
        assert any("dlq_reason" in row for row in headers), "the poison left its letter"


async def test_no_refusal_repeats_what_was_sent(observed: Observed) -> None:
    refusals = [answer for answer in observed.answers if answer.is_error]

    assert {answer.status_code for answer in refusals} >= {400, 401, 422}
    assert found((f"{a.request.method} {a.request.url.path}", a.text) for a in refusals) == []
    assert found((str(a.request.url.path), json.dumps(dict(a.headers))) for a in refusals) == []


async def test_no_command_line_holds_a_secret(observed: Observed) -> None:
    lines = [
        (f"process {process.pid}", " ".join(line))
        for process, line in command_lines_below(recursive=True)
    ]

    assert len(lines) >= len(SERVICES)
    assert found(lines) == []


async def test_what_the_runtime_writes_down_with_a_secret_is_for_its_owner_only(
    observed: Observed,
) -> None:
    files = [path for path in observed.data_dir.iterdir() if path.is_file()]

    holders = [path for path in files if found([("", path.read_text(errors="replace"))])]

    names = {"api-key", "signing-key", "sampling-secret", "gateway-mac-key", "runtime.json"}
    assert {path.name for path in holders} == names
    assert [path.name for path in holders if path.stat().st_mode & 0o077] == []
