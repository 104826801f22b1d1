"""Apache Kafka for the tests that are about its own behaviour, where a Kafka home is at hand."""

from collections.abc import Iterator

import pytest

from tests.support.infrastructure.real_kafka import RealKafka, why_not

BROKER_FIXTURES = frozenset({"kafka", "system", "real_kafka"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a second run, on the other broker, leave out what no broker takes part in."""
    parser.addoption(
        "--broker-tests",
        action="store_true",
        help="run only tests that talk to the broker of ARCHON_TEST_BROKER",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that talk to the broker are known by their fixtures."""
    if not config.getoption("--broker-tests"):
        return
    chosen = [item for item in items if _talks_to_broker(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _talks_to_broker(item: pytest.Item) -> bool:
    own = item.get_closest_marker("broker") is not None
    return own or (
        isinstance(item, pytest.Function) and not BROKER_FIXTURES.isdisjoint(item.fixturenames)
    )


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
