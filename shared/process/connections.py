"""HTTP connections with deadlines for what the peer must do, and a bound on their number."""

from __future__ import annotations

import asyncio
import fcntl
import resource
import socket
import struct
import sys
import termios
from collections import OrderedDict
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from shared.logging import get_logger

HEAD_SECONDS: Final = 10.0
MAX_CONNECTIONS: Final = 2_000
MAX_HEAD_BYTES: Final = 65_536
MIN_READ_BYTES: Final = 16_384
"""Of an answer that the peer must read within a deadline: a slow one is slow, not absent."""
RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER for no time."""

log = get_logger(__name__)


def connection_limit() -> int:
    """At most half the files that this process may open: the rest is for Kafka and the database."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, soft // 2)


class ConnectionLimit:
    """The open connections of a listener; those whose whole request is being answered come first.

    A connection too many takes the place of the one that has waited longest for its peer, so that
    connections which send nothing or half a request, or do not read their answer, cannot keep
    others out.
    """

    def __init__(self, most: int, head_seconds: float = HEAD_SECONDS) -> None:
        self.most = most
        self.head_seconds = head_seconds
        self.waiting: OrderedDict[BoundedConnection, None] = OrderedDict()
        self.answering: set[BoundedConnection] = set()

    def admit(self, connection: BoundedConnection) -> bool:
        """Make room for a connection; False: all others have a request that we are answering."""
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
        """Note whether we are answering a request of the connection, or wait for its peer."""
        if answering and connection in self.waiting:
            del self.waiting[connection]
            self.answering.add(connection)
        elif not answering and connection in self.answering:
            self.answering.discard(connection)
            self.waiting[connection] = None


class BoundedConnection(H11Protocol):
    """uvicorn's connection, closed when its peer keeps it waiting.

    uvicorn limits idle connections only after their first answer, and any byte ends that limit;
    the rest of a body that nobody reads keeps them open too, and so does an answer that the peer
    does not read, of which there are as many as it sends requests without waiting.
    """

    limit: ConnectionLimit
    _deadline: asyncio.TimerHandle | None = None
    _unread = 0

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
        if self._is_answering and not self.flow.write_paused:
            self._stop_deadline()
        self._count()

    def on_response_complete(self) -> None:
        """The next request has a deadline of its own, and so has the rest of this answer."""
        self._count()
        self._start_deadline()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """More of the answer is unread than we keep: the peer has a deadline for it."""
        super().pause_writing()
        self._count()
        self._start_deadline()

    def resume_writing(self) -> None:
        """The peer reads: the rest of the answer is ours to give."""
        super().resume_writing()
        self._count()
        if self._is_answering:
            self._stop_deadline()
        else:
            self._start_deadline()

    @property
    def _is_answering(self) -> bool:
        # uvicorn's annotation hides that there is none before the first request.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _count(self) -> None:
        """Ours to answer is a request with its whole body, whose answer is being read."""
        is_ours = self._is_answering and not self.cycle.more_body and not self.flow.write_paused
        self.limit.set_answering(self, is_ours)

    def _start_deadline(self) -> None:
        self._stop_deadline()
        self._unread = self._count_unread()
        self._deadline = self.loop.call_later(self.limit.head_seconds, self._end_unless_read)

    def _end_unless_read(self) -> None:
        left = self._count_unread()
        if self._unread - left >= MIN_READ_BYTES:
            self._start_deadline()
        else:
            self.abort("answer_not_read" if left else "request_head_incomplete")

    def _count_unread(self) -> int:
        """Bytes of answers that the peer has not taken yet.

        The kernel's are among them: it keeps megabytes, and our buffer shrinks long after it.
        """
        sent = self.transport.get_extra_info("socket").fileno()
        if sent < 0:
            return 0
        queued = fcntl.ioctl(sent, termios.TIOCOUTQ, bytes(4))
        return self.transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def abort(self, reason: str) -> None:
        """Close at once: a peer that does not read must not keep it open."""
        log.info("connection_closed", reason=reason)
        # Else the kernel would keep what is unread, and offer it for minutes.
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE
        )
        self.transport.abort()


def bounded_protocol(limit: ConnectionLimit) -> type[BoundedConnection]:
    """The protocol class of one listener, whose connections share `limit`."""
    members: dict[str, Any] = {"limit": limit}
    return type("ListenerConnection", (BoundedConnection,), members)
