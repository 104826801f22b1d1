"""K3a, K3b: rights taken away; topics made again and grown, records deleted unread or not valid."""

from __future__ import annotations

import asyncio
from functools import partial

from confluent_kafka import Producer
from confluent_kafka.admin import ResourceType

from archon_contracts.topics import MODELS, REGISTRY_COMMANDS, consumer_group
from shared.kafka.topic_admin import ensure_topics
from tests.faults.brokers.kafka_cluster import KafkaCluster
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.scenarios.kafka.watch import (
    LONGEST_SECONDS,
    REFRESHED_SECONDS,
    FaultWatch,
    attack,
)

COMMANDS = REGISTRY_COMMANDS.name
HANGING_MS = 5_000
UNREAD = 40
GAP = "records_deleted_unread"


class RightsTakenAway:
    """What the probe may do is taken from it and given back, resource by resource."""

    id = "K3a"
    what = "Apache Kafka: rights to topics, the group and the cluster taken away in turn"
    on_request = True
    longest_short_seconds = LONGEST_SECONDS

    async def run(self, context: Context) -> ScenarioResult:
        lasts = context.size(short=8, long=60)
        rights = [
            (ResourceType.TOPIC, COMMANDS),
            (ResourceType.TOPIC, MODELS.name),
            (ResourceType.GROUP, consumer_group("probe")),
            (ResourceType.BROKER, "kafka-cluster"),
        ]
        context.random().shuffle(rights)

        async def faults(watch: FaultWatch) -> None:
            watch.send_on()
            for kind, name in rights:
                await watch.through(
                    f"no right to the {kind.name.lower()}",
                    partial(asyncio.to_thread, watch.cluster.admin.revoke, kind, name),
                    partial(asyncio.to_thread, watch.cluster.admin.grant, kind, name),
                    lasts=lasts,
                    # Topic rights suffice to write with idempotence since Kafka 2.8.
                    reported=kind is not ResourceType.BROKER,
                )

        return await attack(context, faults, with_rights=True)


class TopicsChanged:
    """What an operator or another client may do to a running system's topics."""

    id = "K3b"
    what = (
        "Apache Kafka: transactions aborted and hanging, a topic grown and made again, records "
        "deleted unread"
    )
    on_request = True
    longest_short_seconds = LONGEST_SECONDS

    async def run(self, context: Context) -> ScenarioResult:
        async def faults(watch: FaultWatch) -> None:
            watch.send_on()
            await _transactions(watch)
            await _more_partitions(watch)
            await _made_again(watch)
            await _deleted_unread(watch)

        return await attack(context, faults, with_rights=True)


async def _nothing() -> None:
    """What needs no repair."""


async def _transactions(watch: FaultWatch) -> None:
    """One that is aborted, and one that its producer never ends: none of it takes effect."""
    for fault, is_aborted in (("a transaction aborted", True), ("a transaction hanging", False)):
        begin = partial(asyncio.to_thread, _begin, watch, is_aborted=is_aborted)
        await watch.through(fault, begin, _nothing, lasts=0.0)


def _begin(watch: FaultWatch, *, is_aborted: bool) -> None:
    producer = Producer(
        {
            "bootstrap.servers": watch.cluster.bootstrap_servers,
            "transactional.id": f"faults-{is_aborted}",
            "transaction.timeout.ms": HANGING_MS,
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for _ in range(20):
        _, record = watch.load.make_unlisted()
        producer.produce(record.topic, record.value, key=record.key, headers=list(record.headers))
    producer.flush(10)
    if is_aborted:
        producer.abort_transaction(30)


async def _more_partitions(watch: FaultWatch) -> None:
    """Keys move to other partitions, so what was sent before has to be read before."""
    await watch.quiet()
    twice = 2 * REGISTRY_COMMANDS.partitions
    more = partial(asyncio.to_thread, watch.cluster.admin.add_partitions, COMMANDS, twice)
    await watch.through("partitions doubled", more, _nothing, lasts=0.0, within=REFRESHED_SECONDS)
    watch.send_on()


async def _made_again(watch: FaultWatch) -> None:
    await watch.quiet()
    delete = partial(asyncio.to_thread, watch.cluster.admin.delete_topic, COMMANDS)
    again = partial(_make, watch.cluster)
    await watch.through("the topic made again", delete, again, lasts=2.0, within=REFRESHED_SECONDS)
    watch.send_on()


async def _make(cluster: KafkaCluster) -> None:
    await ensure_topics(
        cluster.bootstrap_servers, replication_factor=None, topics=(REGISTRY_COMMANDS,)
    )


async def _deleted_unread(watch: FaultWatch) -> None:
    """While nobody reads, records come and go: the probe says which offsets it never saw."""
    await watch.quiet()
    await watch.probes.retire(watch.name)
    before = watch.probes.logged(GAP)
    await asyncio.to_thread(_send_and_delete, watch)
    watch.name = await watch.probes.start(**watch.settings)
    await watch.through("records deleted unread", _nothing, _nothing, lasts=0.0)
    if watch.probes.logged(GAP) == before:
        watch.problems.append("records were deleted unread, and the log does not say so")


def _send_and_delete(watch: FaultWatch) -> None:
    producer = Producer({"bootstrap.servers": watch.cluster.bootstrap_servers})
    for _ in range(UNREAD):
        _, record = watch.load.make_unlisted()
        producer.produce(record.topic, record.value, key=record.key, headers=list(record.headers))
    producer.flush(10)
    watch.cluster.admin.delete_all_records(COMMANDS)
