"""librdkafka's mock cluster, by ctypes: brokers in memory that answer with errors on request.

The library is the one inside the package confluent-kafka. Its mock holds some megabytes per
partition, knows groups of one member, and moves leaders and coordinators at a word.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

PRODUCER = 0
GROUP = b"group"


class KafkaApi(IntEnum):
    """Requests that can be answered with errors: their keys in Kafka's protocol."""

    PRODUCE = 0
    FETCH = 1
    OFFSET_COMMIT = 8
    HEARTBEAT = 12


class Error(IntEnum):
    """Error codes of Kafka's protocol."""

    NOT_LEADER = 6
    REQUEST_TIMED_OUT = 7
    COORDINATOR_NOT_AVAILABLE = 15
    NOT_COORDINATOR = 16
    NOT_ENOUGH_REPLICAS = 19
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20


class MockCluster:
    """So many brokers."""

    def __init__(self, library: ctypes.CDLL, handle: int, cluster: int, brokers: int) -> None:
        self._library = library
        self._handle = handle
        self._cluster = ctypes.c_void_p(cluster)
        self.brokers = brokers
        self.injected: Counter[KafkaApi] = Counter()

    @property
    def bootstrap_servers(self) -> str:
        """Where the brokers listen."""
        servers: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return servers.decode()

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic that every broker replicates."""
        self._check(
            self._library.rd_kafka_mock_topic_create(
                self._cluster, name.encode(), partitions, self.brokers
            )
        )

    def fail(self, api: KafkaApi, *errors: Error) -> None:
        """Answer the next requests of this kind with these errors, one each."""
        self.injected[api] += len(errors)
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(api), ctypes.c_size_t(len(errors)), codes
        )

    def move_leader(self, topic: str, partition: int, broker: int) -> None:
        """Make a broker (1, 2, ...) the partition's leader."""
        self._check(
            self._library.rd_kafka_mock_partition_set_leader(
                self._cluster, topic.encode(), partition, broker
            )
        )

    def move_coordinator(self, group: str, broker: int) -> None:
        """Make a broker the group's coordinator."""
        self._check(
            self._library.rd_kafka_mock_coordinator_set(
                self._cluster, GROUP, group.encode(), broker
            )
        )

    def set_up(self, broker: int, *, up: bool) -> None:
        """Take a broker down, or up again."""
        change = self._library.rd_kafka_mock_broker_set_up
        if not up:
            change = self._library.rd_kafka_mock_broker_set_down
        self._check(change(self._cluster, broker))

    def asked(self, api: KafkaApi) -> int:
        """How many requests of this kind came since the start."""
        count = ctypes.c_size_t()
        get = self._library.rd_kafka_mock_get_requests
        requests = get(self._cluster, ctypes.byref(count))
        found = (ctypes.c_void_p * count.value).from_address(requests) if count.value else ()
        kind = self._library.rd_kafka_mock_request_api_key
        asked = sum(kind(ctypes.c_void_p(each)) == api for each in found)
        self._library.rd_kafka_mock_request_destroy_array(ctypes.c_void_p(requests), count)
        return asked

    def _check(self, code: int) -> None:
        if code:
            raise RuntimeError(f"librdkafka's mock cluster refused: error {code}")


@contextmanager
def mock_cluster(brokers: int) -> Iterator[MockCluster]:
    """A mock cluster while the block runs."""
    library = librdkafka()
    reason = ctypes.create_string_buffer(512)
    configuration = ctypes.c_void_p(library.rd_kafka_conf_new())
    # Its own client has nothing to connect to, and would say so.
    library.rd_kafka_conf_set(configuration, b"log_level", b"0", reason, ctypes.c_size_t(512))
    handle = library.rd_kafka_new(PRODUCER, configuration, reason, ctypes.c_size_t(512))
    if not handle:
        raise RuntimeError(f"librdkafka did not start: {reason.value.decode()}")
    cluster = library.rd_kafka_mock_cluster_new(ctypes.c_void_p(handle), brokers)
    library.rd_kafka_mock_start_request_tracking(ctypes.c_void_p(cluster))
    try:
        yield MockCluster(library, handle, cluster, brokers)
    finally:
        library.rd_kafka_mock_cluster_destroy(ctypes.c_void_p(cluster))
        library.rd_kafka_destroy(ctypes.c_void_p(handle))


def librdkafka() -> ctypes.CDLL:
    """The library itself, its functions that return pointers declared as such."""
    spec = importlib.util.find_spec("confluent_kafka")
    if spec is None or spec.origin is None:
        raise RuntimeError("confluent-kafka is not installed; it comes with the extra dev")
    site = Path(spec.origin).parent.parent
    (path,) = (site / "confluent_kafka.libs").glob("librdkafka*")
    # Its own libraries lie beside it, found once the package's module is loaded.
    importlib.import_module("confluent_kafka.cimpl")
    library = ctypes.CDLL(str(path))
    pointer = ctypes.c_void_p
    library.rd_kafka_conf_new.restype = pointer
    library.rd_kafka_new.restype = pointer
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_get_requests.restype = pointer
    library.rd_kafka_mock_request_api_key.restype = ctypes.c_int16
    return library
