"""A token is asked for with the client's id and secret, kept, and renewed before it ends."""

from __future__ import annotations

import asyncio

import pytest

from archon_contracts.client import oauth
from archon_contracts.client.errors import KafkaSecurityError
from archon_contracts.client.oauth import ClientCredentials, TokenRefusedError
from archon_contracts.client.security import KafkaSecurity
from tests.support.infrastructure.token_endpoint import TokenEndpoint, serving_tokens

SECRET = "a secret: with/odd+signs"


async def test_connections_made_side_by_side_share_one_token() -> None:
    endpoint = TokenEndpoint("agent", SECRET)
    with serving_tokens(endpoint) as url:
        credentials = ClientCredentials(url, "agent", SECRET, scope="kafka read")

        tokens = await asyncio.gather(*(credentials.token() for _ in range(5)))

    assert len(set(tokens)) == 1
    assert endpoint.scopes == ["kafka read"]


async def test_a_token_is_renewed_before_it_ends() -> None:
    endpoint = TokenEndpoint("agent", SECRET, lifetime_seconds=100)
    with serving_tokens(endpoint) as url:
        credentials = ClientCredentials(url, "agent", SECRET)
        await credentials.token()
        await credentials.token()
        assert len(endpoint.scopes) == 1
        credentials._renew_at -= 81  # as if so many seconds had passed
        await credentials.token()

    assert len(endpoint.scopes) == 2
    assert oauth.USED_FRACTION < 1


async def test_a_refused_client_is_named_without_its_secret() -> None:
    with serving_tokens(TokenEndpoint("agent", SECRET)) as url:
        credentials = ClientCredentials(url, "agent", "wrong-secret")
        with pytest.raises(TokenRefusedError, match="answers 401") as refused:
            await credentials.token()

    assert "wrong-secret" not in f"{refused.value}{credentials!r}"


async def test_a_secret_does_not_follow_a_redirect() -> None:
    elsewhere = TokenEndpoint("agent", SECRET)
    with (
        serving_tokens(elsewhere) as target,
        serving_tokens(TokenEndpoint("agent", SECRET, redirects_to=target)) as url,
    ):
        credentials = ClientCredentials(url, "agent", SECRET)
        with pytest.raises(TokenRefusedError, match="answers 302"):
            await credentials.token()

    assert elsewhere.requests == 0


async def test_an_endpoint_that_is_away_is_named() -> None:
    credentials = ClientCredentials("http://127.0.0.1:9/token", "agent", SECRET)
    with pytest.raises(TokenRefusedError, match=r"127\.0\.0\.1:9/token gives no token"):
        await credentials.token()


@pytest.mark.parametrize(
    ("url", "problem"),
    [(None, "is needed"), ("http://idp.example/token", "https"), ("ftp://localhost/x", "https")],
)
def test_a_secret_is_sent_to_nobody_in_the_open(url: str | None, problem: str) -> None:
    security = KafkaSecurity(
        mechanism="OAUTHBEARER", username="agent", password=SECRET, token_url=url
    )
    with pytest.raises(KafkaSecurityError, match=problem):
        security.connection()
