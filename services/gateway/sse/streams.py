"""Limits of event streams: their number per key, and the validity of the key."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from services.gateway.auth.authenticator import ApiKeyAuthenticator, require_scope
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.errors import NotAllowed, NotAuthenticated, RateLimited
from shared.errors import RetryableError
from shared.logging import get_logger

# As CACHE_SECONDS of the authenticator: a stream outlives the database as long as a request does.
UNCONFIRMED_SECONDS: Final = 30.0
FULL_RETRY_SECONDS: Final = 5.0

log = get_logger(__name__)


class StreamLimiter:
    """Counts the open streams of each key, and checks the key while they are open."""

    def __init__(
        self,
        keys: ApiKeyAuthenticator,
        *,
        limit: int,
        check_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._keys = keys
        self._max_streams = limit
        self._check_seconds = check_seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._open: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def open_stream(self, caller: Caller) -> Iterator[None]:
        """Count a stream while it is open.

        Raises:
            RateLimited: the key has its maximum of open streams.
        """
        owner = caller.tenant_id, caller.actor
        if self._max_streams and self._open[owner] >= self._max_streams:
            reason = f"this key has {self._max_streams} event streams open already"
            raise RateLimited("open_streams", reason, FULL_RETRY_SECONDS)
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]

    async def wait_until_revoked(self, key: str | None) -> None:
        """Wait until the key is invalid, or could not be checked for half a minute."""
        confirmed = self._monotonic()
        while True:
            await self._sleep(self._check_seconds)
            try:
                caller = await self._keys.confirm(key)
                require_scope(caller, Scope.READ)
            except (NotAuthenticated, NotAllowed) as refusal:
                log.info("event_stream_ended", reason=str(refusal))
                return
            except RetryableError as error:
                if self._monotonic() - confirmed >= UNCONFIRMED_SECONDS:
                    log.warning("event_stream_ended", reason=str(error))
                    return
            else:
                confirmed = self._monotonic()
