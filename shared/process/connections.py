"""HTTP connections with a deadline for the head of a request, and a bound on their number."""

from __future__ import annotations

import asyncio
import resource
from collections import OrderedDict
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from shared.logging import get_logger

HEAD_SECONDS: Final = 10.0
MAX_CONNECTIONS: Final = 2_000
MAX_HEAD_BYTES: Final = 65_536

log = get_logger(__name__)


def connection_limit() -> int:
    """At most half the files that this process may open: the rest is for Kafka and the database."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, soft // 2)


class ConnectionLimit:
    """The open connections of a listener; those that have no request to answer come first.

    A connection too many takes the place of the one that has waited longest for its request, so
    that connections which send nothing, or half a request, cannot keep others out.
    """

    def __init__(self, most: int, head_seconds: float = HEAD_SECONDS) -> None:
        self.most = most
        self.head_seconds = head_seconds
        self.waiting: OrderedDict[BoundedConnection, None] = OrderedDict()
        self.answering: set[BoundedConnection] = set()

    def admit(self, connection: BoundedConnection) -> bool:
        """Make room for a connection; False: all others have a request that is being answered."""
        if len(self.waiting) + len(self.answering) >= self.most:
            if not self.waiting:
                log.warning("connection_refused", limit=self.most)
                return False
            oldest, _ = self.waiting.popitem(last=False)
            oldest.abort("connections_exceeded")
        self.waiting[connection] = None
        return True

    def discard(self, connection: BoundedConnection) -> None:
        """Drop a closed connection."""
        self.waiting.pop(connection, None)
        self.answering.discard(connection)

    def set_answering(self, connection: BoundedConnection, answering: bool) -> None:
        """Note whether the connection has a request that is being answered."""
        if answering:
            self.waiting.pop(connection, None)
            self.answering.add(connection)
        elif connection in self.answering:
            self.answering.discard(connection)
            self.waiting[connection] = None


class BoundedConnection(H11Protocol):
    """uvicorn's connection, closed when no whole head of a request comes in time.

    uvicorn limits idle connections only after their first answer, and any byte ends that limit;
    the rest of a body that nobody reads keeps them open too.
    """

    limit: ConnectionLimit
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Count it and start its deadline."""
        super().connection_made(transport)
        if not self.limit.admit(self):
            transport.abort()
            return
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no longer."""
        self._stop_deadline()
        self.limit.discard(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """A whole head ends the deadline; the body has its own."""
        super().handle_events()
        if self._is_answering:
            self._stop_deadline()
            self.limit.set_answering(self, True)

    def on_response_complete(self) -> None:
        """The next request has a deadline of its own."""
        self.limit.set_answering(self, False)
        self._start_deadline()
        super().on_response_complete()

    @property
    def _is_answering(self) -> bool:
        # uvicorn's annotation hides that there is none before the first request.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _start_deadline(self) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(
            self.limit.head_seconds, self.abort, "request_head_incomplete"
        )

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def abort(self, reason: str) -> None:
        """Close at once: a peer that does not read must not keep it open."""
        log.info("connection_closed", reason=reason)
        self.transport.abort()


def bounded_protocol(limit: ConnectionLimit) -> type[BoundedConnection]:
    """The protocol class of one listener, whose connections share `limit`."""
    members: dict[str, Any] = {"limit": limit}
    return type("ListenerConnection", (BoundedConnection,), members)
