"""Which broker the tests talk to: `ARCHON_TEST_BROKER`, `embedded` or `kafka`."""

import os
from pathlib import Path
from typing import Any

from deploy.local.processes.tcp_ports import pick_free
from deploy.local.servers.broker import EmbeddedBroker
from deploy.local.servers.kafka_home import KafkaHome
from deploy.local.servers.kafka_node import KafkaNode
from deploy.local.settings import EMBEDDED, KAFKA
from tests.support.infrastructure.real_kafka import find_kafka_home, why_not

Broker = EmbeddedBroker | KafkaNode
VARIABLE = "ARCHON_TEST_BROKER"
# Beside PostgreSQL, services and the tests themselves on a small machine.
HEAP = "-Xms128m -Xmx384m"


def chosen_broker() -> str:
    """`embedded` unless the variable says `kafka`.

    Raises:
        ValueError: it says something else, or no Kafka can run here.
    """
    chosen = os.environ.get(VARIABLE, EMBEDDED)
    if chosen not in (EMBEDDED, KAFKA):
        raise ValueError(f"{VARIABLE} is {chosen}: set it to {EMBEDDED} or {KAFKA}")
    if chosen == KAFKA and (reason := why_not()):
        raise ValueError(f"{VARIABLE} is {KAFKA}, which cannot run here: {reason}")
    return chosen


def make_broker(folder: Path) -> Broker:
    """The chosen broker with its data in `folder`; not started."""
    if chosen_broker() == EMBEDDED:
        return EmbeddedBroker(folder, pick_free())
    os.environ.setdefault("KAFKA_HEAP_OPTS", HEAP)
    controller = pick_free()
    port = pick_free(taken=frozenset({controller}))
    # As the embedded broker does: tests send to topics that they make up.
    properties = {"auto.create.topics.enable": "true"}
    home = KafkaHome.find(find_kafka_home())
    return KafkaNode(home, folder, port, controller, properties=properties)


def local_broker_settings() -> dict[str, Any]:
    """The same choice for a whole local system."""
    if chosen_broker() == EMBEDDED:
        return {}
    os.environ.setdefault("KAFKA_HEAP_OPTS", HEAP)
    return {"broker": KAFKA, "kafka_home": find_kafka_home()}
