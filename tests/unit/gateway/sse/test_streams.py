"""Event streams end with their keys, and a key has so many of them."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from services.gateway.auth.credentials import Caller, Scope
from services.gateway.errors import NotAuthenticated, RateLimited
from services.gateway.sse.streams import UNCONFIRMED_SECONDS, StreamLimiter
from shared.errors import DatabaseUnavailable

READER = Caller("acme", "reader", frozenset({Scope.READ}))
OTHER = Caller("acme", "other", frozenset({Scope.READ}))
NO_READER = Caller("acme", "reader", frozenset({Scope.WRITE}))
GONE = DatabaseUnavailable("away")


class ScriptedAuthenticator:
    """Keys that answer what the test says, check by check, and the seconds that passed."""

    def __init__(self, *answers: Caller | Exception) -> None:
        self.left = list(answers)
        self.now = 0.0

    async def confirm(self, _key: str | None) -> Caller:
        answer = self.left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def streams(
        self, limit: int = 2, monotonic: Callable[[], float] | None = None
    ) -> StreamLimiter:
        clock = monotonic or (lambda: self.now)
        return StreamLimiter(self, limit=limit, check_seconds=10, monotonic=clock, sleep=self.sleep)


@pytest.mark.parametrize("refusal", [NotAuthenticated("revoked"), NO_READER])
async def test_a_stream_ends_when_its_key_is_refused(refusal: Caller | Exception) -> None:
    keys = ScriptedAuthenticator(READER, READER, refusal)

    await keys.streams().wait_until_revoked("k")

    assert (keys.now, keys.left) == (30, [])


async def test_a_short_database_outage_does_not_end_a_stream() -> None:
    keys = ScriptedAuthenticator(
        READER, GONE, GONE, READER, GONE, GONE, NotAuthenticated("revoked")
    )

    await keys.streams().wait_until_revoked("k")

    assert keys.left == []


async def test_a_stream_ends_when_its_key_cannot_be_checked() -> None:
    keys = ScriptedAuthenticator(READER, *[GONE] * 10)

    await keys.streams().wait_until_revoked("k")

    assert keys.now == 10 + UNCONFIRMED_SECONDS


def test_the_streams_of_a_key_are_limited() -> None:
    streams = ScriptedAuthenticator().streams(limit=2)

    with ExitStack() as open_ones:
        for caller in (READER, READER, OTHER):
            open_ones.enter_context(streams.open_stream(caller))
        with pytest.raises(RateLimited, match="open_streams"):
            open_ones.enter_context(streams.open_stream(READER))
    with streams.open_stream(READER):
        assert set(streams._open.values()) == {1}
    assert not streams._open


def test_a_stream_limit_of_zero_is_no_limit() -> None:
    streams = ScriptedAuthenticator().streams(limit=0)

    with streams.open_stream(READER), streams.open_stream(READER), streams.open_stream(READER):
        pass
