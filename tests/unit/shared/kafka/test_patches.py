"""What the services rely on inside aiokafka and FastStream is there; a new version is looked at."""

import inspect
from importlib.metadata import version

from aiokafka import AIOKafkaConsumer
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import LogicSubscriber

from archon_contracts.client.patches import AIOKAFKA_VERSION
from shared.kafka.patches import FASTSTREAM_VERSION, RecordBatch


def test_these_are_the_versions_that_the_patches_were_read_in() -> None:
    assert version("aiokafka") == AIOKAFKA_VERSION
    assert version("faststream") == FASTSTREAM_VERSION


def test_aiokafka_reads_batches_with_the_name_that_is_replaced() -> None:
    assert "MemoryRecords(part_data[-1])" in inspect.getsource(Fetcher._proc_fetch_request)
    assert hasattr(fetcher, "MemoryRecords")
    source = inspect.getsource(RecordBatch)
    for name in ("_buffer", "_pos", "_num_records"):
        assert f"self.{name}" in source


def test_aiokafka_has_what_shows_a_consumers_state() -> None:
    coordinator = inspect.getsource(GroupCoordinator.__init__)
    for name in ("coordinator_id", "generation", "_rejoin_needed_fut", "_coordination_task"):
        assert f"self.{name} = " in coordinator
    assert "self._fetch_task = " in inspect.getsource(Fetcher.__init__)
    assert isinstance(SubscriptionState.reassignment_in_progress, property)
    assert "unauthorized_topics" in inspect.getsource(ClusterMetadata.__init__)
    consumer = inspect.getsource(AIOKafkaConsumer)
    for name in ("_subscription", "_client", "_closed", "_fetcher", "_coordinator"):
        assert f"self.{name} = " in consumer


def test_aiokafka_keeps_an_error_of_each_partition_until_it_is_asked_for() -> None:
    source = inspect.getsource(Fetcher)
    assert "self._records[tp] = FetchError(" in source
    assert "self._notify(self._wait_consume_future)" in source
    assert "await anyio.sleep(5)" in inspect.getsource(LogicSubscriber._run_consume_loop)


def test_aiokafka_makes_a_coordinator_at_the_start_and_keeps_its_member_id_there() -> None:
    assert "self._coordinator = GroupCoordinator(" in inspect.getsource(AIOKafkaConsumer.start)
    assert "self.member_id = " in inspect.getsource(GroupCoordinator.__init__)


def test_aiokafka_goes_on_with_a_commit_that_was_given_up() -> None:
    source = inspect.getsource(GroupCoordinator.commit_offsets)
    assert "asyncio.shield(self._do_commit_offsets(assignment, offsets))" in source


def test_aiokafka_sends_its_fetches_through_its_client() -> None:
    source = inspect.getsource(Fetcher._proc_fetch_request)
    assert "await self._client.send(node_id, request)" in source


def test_faststream_builds_a_consumer_from_the_broker_configuration_at_each_start() -> None:
    assert "self.builder(" in inspect.getsource(LogicSubscriber.start)
    assert KafkaBroker("127.0.0.1:1").config.broker_config is not None
