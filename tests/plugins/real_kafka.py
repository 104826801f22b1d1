"""Apache Kafka for the tests that are about its own behaviour, where a Kafka home is at hand."""

from collections.abc import Iterator

import pytest

from tests.support.infrastructure.real_kafka import RealKafka, why_not


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """One node for the whole run; use topics and groups of your own."""
    if reason := why_not():
        pytest.skip(f"Apache Kafka cannot run here: {reason}")
    node = RealKafka(tmp_path_factory.mktemp("apache-kafka"))
    try:
        node.start()
        yield node
    finally:
        node.stop()
