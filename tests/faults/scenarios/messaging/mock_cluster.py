"""F5: a cluster of three that answers with errors and moves leaders and coordinators about."""

from __future__ import annotations

import asyncio
import random

from archon_contracts.topics import MODELS, REGISTRY_COMMANDS, consumer_group, dead_letters
from tests.faults.accounting.reconciliation import reconcile
from tests.faults.brokers.mock_kafka import Error, KafkaApi, MockCluster, mock_cluster
from tests.faults.brokers.servers import servers
from tests.faults.probes import Fleet, fleet
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.workload.load import CommandLoad

BROKERS = 3
TOPICS = (REGISTRY_COMMANDS, MODELS, dead_letters("probe"))
ERRORS = {
    KafkaApi.PRODUCE: (
        Error.NOT_LEADER,
        Error.REQUEST_TIMED_OUT,
        Error.NOT_ENOUGH_REPLICAS,
        Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ),
    KafkaApi.FETCH: (Error.NOT_LEADER, Error.REQUEST_TIMED_OUT),
    KafkaApi.OFFSET_COMMIT: (Error.NOT_COORDINATOR, Error.COORDINATOR_NOT_AVAILABLE),
    KafkaApi.HEARTBEAT: (Error.NOT_COORDINATOR, Error.COORDINATOR_NOT_AVAILABLE),
}


class FaultyCluster:
    """Injected errors for every kind of request, and moves, while commands come in."""

    id = "F5"
    what = "broker errors injected, leaders and coordinators moved, one of three brokers down"

    async def run(self, context: Context) -> ScenarioResult:
        events = context.size(short=600, long=5_000)
        faults = context.size(short=20, long=200)
        client_log = context.folder / "client_log"
        with mock_cluster(BROKERS) as cluster:
            for topic in TOPICS:
                cluster.create_topic(topic.name, topic.partitions)
            async with (
                servers(context.folder, broker=False) as both,
                fleet(both, context.folder) as probes,
            ):
                await probes.start(kafka_bootstrap_servers=cluster.bootstrap_servers)
                async with CommandLoad(cluster.bootstrap_servers, client_log, context.seed) as load:
                    sending = asyncio.create_task(load.send(events, batch=25, pause=0.05))
                    survived = await self._damage(context.random(), cluster, probes, load, faults)
                    await sending
                account, _, problems = await reconcile(probes, client_log, stall_seconds=30)
            for api, injected in cluster.injected.items():
                if (asked := cluster.asked(api)) < injected:
                    problems.append(f"{injected} errors for {api.name}, {asked} such requests")
        return ScenarioResult(
            account=account,
            load=f"{events:,} commands",
            faults=faults,
            survived=survived,
            trials=events,
            problems=tuple(problems),
            facts={"errors answered": {a.name: n for a, n in cluster.injected.items()}},
        )

    async def _damage(
        self,
        chance: random.Random,
        cluster: MockCluster,
        probes: Fleet,
        load: CommandLoad,
        faults: int,
    ) -> int:
        """Each fault is survived when a command that is sent after it takes effect."""
        survived = 0
        for _ in range(faults):
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            await self._one(chance, cluster)
            survived += await probes.goes_on(load)
        return survived

    async def _one(self, chance: random.Random, cluster: MockCluster) -> None:
        broker = chance.randint(1, BROKERS)
        match chance.randrange(4):
            case 0:
                api = chance.choice(list(ERRORS))
                cluster.fail(api, *chance.choices(ERRORS[api], k=chance.randint(1, 3)))
            case 1:
                topic = chance.choice(TOPICS[:2])
                cluster.move_leader(topic.name, chance.randrange(topic.partitions), broker)
            case 2:
                cluster.move_coordinator(consumer_group("probe"), broker)
            case _:
                cluster.set_up(broker, up=False)
                await asyncio.sleep(chance.uniform(0.3, 1.5))
                cluster.set_up(broker, up=True)
