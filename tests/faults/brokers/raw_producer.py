"""librdkafka's producer, by ctypes: it sends what aiokafka's refuses to.

Names of headers are bytes here, key and value may both be null, and a timestamp is any integer.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from aiokafka.errors import InvalidTimestampError

from tests.faults.brokers.mock_kafka import PRODUCER, librdkafka

TOPIC, PARTITION, VALUE, KEY, FLAGS, TIMESTAMP, HEADERS, END = 1, 3, 4, 5, 7, 8, 10, 0
COPY = 2
INVALID_TIMESTAMP = InvalidTimestampError.errno
FLUSH_MS = 20_000

RawNames = Sequence[tuple[bytes, bytes | None]]


class _Message(ctypes.Structure):
    """`rd_kafka_message_t`, of which the place is read."""

    _fields_ = (
        ("error", ctypes.c_int),
        ("topic", ctypes.c_void_p),
        ("partition", ctypes.c_int32),
        ("payload", ctypes.c_void_p),
        ("payload_size", ctypes.c_size_t),
        ("key", ctypes.c_void_p),
        ("key_size", ctypes.c_size_t),
        ("offset", ctypes.c_int64),
    )


_Report = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(_Message), ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the broker put a record."""

    partition: int
    offset: int


class RawProducer:
    """One record at a time, acknowledged before the next."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._library = librdkafka()
        self._library.rd_kafka_headers_new.restype = ctypes.c_void_p
        self._places: list[Place | int] = []
        self._report = _Report(self._on_delivery)  # kept: the library calls it as long as it lives
        reason = ctypes.create_string_buffer(512)
        conf = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        size = ctypes.c_size_t(len(reason))
        servers = bootstrap_servers.encode()
        self._library.rd_kafka_conf_set(conf, b"bootstrap.servers", servers, reason, size)
        self._library.rd_kafka_conf_set_dr_msg_cb(conf, self._report)
        handle = self._library.rd_kafka_new(PRODUCER, conf, reason, size)
        if not handle:
            raise RuntimeError(f"librdkafka did not start: {reason.value.decode()}")
        self._handle = ctypes.c_void_p(handle)

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: RawNames = (),
        timestamp_ms: int = 0,
        partition: int = -1,
    ) -> Place:
        """Send and wait; a timestamp of 0 is now, a partition of -1 is the library's choice.

        Raises:
            InvalidTimestampError: the broker takes no record of that time.
        """
        code = self._library.rd_kafka_producev(
            self._handle,
            *(ctypes.c_int(TOPIC), topic.encode()),
            *(ctypes.c_int(PARTITION), ctypes.c_int32(partition)),
            *(ctypes.c_int(FLAGS), ctypes.c_int(COPY)),
            *(ctypes.c_int(TIMESTAMP), ctypes.c_int64(timestamp_ms)),
            *(ctypes.c_int(VALUE), value, ctypes.c_size_t(len(value or b""))),
            *(ctypes.c_int(KEY), key, ctypes.c_size_t(len(key or b""))),
            *(ctypes.c_int(HEADERS), self._headers(headers)),
            ctypes.c_int(END),
        )
        if code:
            raise RuntimeError(f"librdkafka did not take the record: error {code}")
        self._library.rd_kafka_flush(self._handle, ctypes.c_int(FLUSH_MS))
        place = self._places.pop() if self._places else None
        if place == INVALID_TIMESTAMP:
            raise InvalidTimestampError
        if not isinstance(place, Place):
            raise RuntimeError(f"the record was not acknowledged: error {place}")
        return place

    def close(self) -> None:
        """Let go of the broker."""
        self._library.rd_kafka_destroy(self._handle)

    def _headers(self, headers: RawNames) -> ctypes.c_void_p:
        made = ctypes.c_void_p(self._library.rd_kafka_headers_new(ctypes.c_size_t(len(headers))))
        for name, value in headers:
            sizes = (ctypes.c_ssize_t(len(name)), ctypes.c_ssize_t(len(value or b"")))
            self._library.rd_kafka_header_add(
                made, *chain.from_iterable(zip((name, value), sizes, strict=True))
            )
        return made

    def _on_delivery(self, _handle: int, message: ctypes._Pointer[_Message], _opaque: int) -> None:
        sent = message.contents
        self._places.append(sent.error or Place(sent.partition, sent.offset))


@contextmanager
def raw_producer(bootstrap_servers: str) -> Iterator[RawProducer]:
    """A producer while the block runs."""
    producer = RawProducer(bootstrap_servers)
    try:
        yield producer
    finally:
        producer.close()
