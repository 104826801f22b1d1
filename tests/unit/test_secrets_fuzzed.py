"""No secret, whatever its characters, in a repr, an exception or what a command prints."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner

from archon_contracts.client import HttpFeedbackClient, KafkaSecurity
from archon_contracts.client.errors import ClientError
from archon_contracts.events import FeedbackReceived
from deploy.cli import app
from deploy.gateway_client import ApiError, GatewayClient
from services.gateway.settings import Settings
from shared.artifacts.signing import Signer
from shared.errors import ArchonError
from shared.messaging.gateway_mac import GatewayMac
from shared.postgres.database import connect
from shared.process.service_context import build_artifacts

QUICK = settings(
    # Four fifths of the profile's: 40 in `make test`, 8 in the inner loop.
    max_examples=settings().max_examples * 4 // 5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# A fixed head that is in no message; then anything that people have in passwords.
SECRET = st.text(
    alphabet=st.sampled_from("aZ09-_.!~*'()%+&=;:@/?#[]$, \"\\\n\té€"), min_size=1, max_size=24
).map(lambda tail: f"zq7MARK{tail}")
HEAD = "zq7MARK"
PLAIN = st.text(alphabet=st.sampled_from("aZ09-_"), min_size=12, max_size=24).map(HEAD.__add__)


def message_of(act: Callable[[], Any], *expected: type[BaseException]) -> str:
    """What the error of an act says; the frames of a stack hold code alone, so the words only."""
    try:
        return repr(act())
    except expected as error:
        chain: list[str] = []
        link: BaseException | None = error
        while link is not None:
            chain.append(f"{link!r} {link}")
            link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        return "\n".join(chain)


def service_settings(**fields: Any) -> Settings:
    values: dict[str, Any] = {
        "database_url": "postgresql://db/archon",
        "kafka_bootstrap_servers": "kafka:9092",
        "artifacts_url": "file:///artifacts",
        "health_port": 0,
    }
    return Settings(**(values | fields))


SECRET_FIELDS = [name for name, f in Settings.model_fields.items() if "SecretStr" in str(f)]


@pytest.mark.parametrize("field", SECRET_FIELDS)
@QUICK
@given(secret=SECRET)
def test_settings_never_show_a_secret(field: str, secret: str) -> None:
    text = message_of(lambda: service_settings(**{field: secret}), ValidationError)
    made = Settings.model_construct(**{field: SecretStr(secret)})

    assert HEAD not in text
    assert HEAD not in f"{made!r}{made}{made.model_dump()}{made.model_dump_json()}"


@QUICK
@given(secret=SECRET, encoded=st.booleans())
def test_a_database_url_that_fails_is_named_without_its_password(
    secret: str, encoded: bool
) -> None:
    password = quote(secret, safe="") if encoded else secret
    url = f"postgresql://archon:{password}@127.0.0.1:1/archon"

    text = message_of(lambda: asyncio.run(connect(url, "probe")), Exception)

    assert HEAD not in text


@QUICK
@given(secret=SECRET)
def test_keys_that_cannot_be_used_are_not_quoted(secret: str) -> None:
    for make in (Signer, GatewayMac):
        assert HEAD not in message_of(lambda make=make: make(secret), ArchonError)


@pytest.mark.parametrize("scheme", ["s3", "nosuch", "ftp", "http"])
@QUICK
@given(secret=PLAIN)
def test_an_artifact_store_that_cannot_be_used_is_named_without_its_password(
    scheme: str, secret: str
) -> None:
    url = f"{scheme}://user:{secret}@127.0.0.1:1/bucket"

    text = message_of(lambda: build_artifacts(service_settings(artifacts_url=url)), ArchonError)

    assert HEAD not in text


@QUICK
@given(secret=SECRET)
def test_kafka_security_shows_no_password(secret: str) -> None:
    def use() -> Any:
        security = KafkaSecurity(
            mechanism="SCRAM-SHA-512", username="u", password=secret, key_password=secret
        )
        return security, str(security)

    assert HEAD not in message_of(use, ClientError)


@QUICK
@given(secret=SECRET)
def test_a_feedback_client_shows_neither_key_nor_password(secret: str) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"{request.headers.get('authorization')} {request.url}")

    async def send() -> Any:
        url = f"http://user:{quote(secret, safe='')}@127.0.0.1:1"
        client = HttpFeedbackClient(url, secret, attempts=1, transport=httpx.MockTransport(refuse))
        async with client:
            event = FeedbackReceived(
                agent_id="a", interaction_id="i", input="q", actual="a", rating=1
            )
            return client, await client.send(event)

    text = message_of(lambda: asyncio.run(send()), ClientError)

    assert secret not in text
    assert quote(secret, safe="") not in text


@QUICK
@given(secret=SECRET)
def test_the_command_lines_client_shows_neither_key_nor_password(secret: str) -> None:
    def ask() -> Any:
        url = f"http://user:{quote(secret, safe='')}@127.0.0.1:1?token={quote(secret, safe='')}"
        return GatewayClient(url, secret).get("/v1/status")

    assert HEAD not in message_of(ask, ApiError)


COMMANDS = (["status"], ["jobs", "list"], ["keys", "list"], ["topics"], ["audit", "list"])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(secret=SECRET.filter(lambda text: "\x00" not in text))
def test_a_command_prints_no_secret(command: list[str], secret: str) -> None:
    encoded = quote(secret, safe="")
    environment = {
        "ARCHON_URL": f"http://user:{encoded}@127.0.0.1:1",
        "ARCHON_API_KEY": secret,
        "ARCHON_DATABASE_URL": f"postgresql://archon:{encoded}@127.0.0.1:1/x",
        "ARCHON_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "ARCHON_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "ARCHON_KAFKA_SASL_USERNAME": "u",
        "ARCHON_KAFKA_SASL_PASSWORD": secret,
    }
    result = CliRunner().invoke(app, command, env=environment)

    assert result.exit_code != 0
    assert HEAD not in result.output
