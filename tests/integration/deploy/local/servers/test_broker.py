"""The embedded broker: what it saved is there again, and nothing but Kafka is spoken."""

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.local.errors import PortInUseError
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.servers.broker import EmbeddedBroker
from tests.support.eventually import eventually
from tests.support.infrastructure.command_lines import command_lines_below

TOPIC = "kept"


@pytest.fixture
async def broker(tmp_path):
    """A broker of this test alone, started."""
    own = EmbeddedBroker(tmp_path, pick_free())
    await own.start()
    yield own
    await own.stop()


async def test_acknowledged_records_are_kept_over_stop_and_start(broker):
    await send(broker, b"first")
    await broker.stop()

    await broker.start()

    assert await first_record(broker) == b"first"


async def test_saved_records_are_kept_over_a_kill(broker, tmp_path):
    await send(broker, b"first")
    await eventually((tmp_path / "kafka.json").exists)
    process_serving(tmp_path).kill()

    await broker.start()

    assert await first_record(broker) == b"first"


async def test_only_kafka_is_spoken(broker, tmp_path):

    listening = [
        connection.laddr
        for connection in process_serving(tmp_path).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]

    assert {address.ip for address in listening} == {"127.0.0.1"}
    # Kafka, and the program's own control port.
    assert len(listening) == 2


async def test_a_taken_port_is_reported_in_one_sentence(broker, tmp_path):
    second = EmbeddedBroker(tmp_path / "second", broker.port)

    with pytest.raises(PortInUseError, match="chosen for broker, is in use"):
        await second.start()


def process_serving(data_dir):
    """The broker of this data; the run's own broker is a child of this process too."""
    (child,) = [process for process, line in command_lines_below() if str(data_dir) in line]
    return child


async def send(broker, value):
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(TOPIC, value)


async def first_record(broker):
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest"
    )
    async with consumer:
        return (await consumer.getone()).value
