"""B1: whatever comes is taken or set aside with a reason, and the partitions move on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError, MessageSizeTooLargeError

from archon_contracts.envelope import HeaderView
from archon_contracts.topics import dead_letters
from tests.faults.accounting.client_log import Account, ClientLog, balance, read_client_log
from tests.faults.brokers.raw_producer import raw_producer
from tests.faults.brokers.topics import count_records
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.system import CoordinatorState, LocalSystem, local_system
from tests.faults.waiting import until
from tests.faults.workload.bad_records import BadRecord, BadRecords
from tests.faults.workload.load import FeedbackLoad

AGENT = "agent-0"
MOST_BYTES = 16_000_000
GOOD = 50
SYSTEM_TRAFFIC = (
    "SELECT event_id::text FROM coordinator.interactions "
    "UNION ALL SELECT event_id::text FROM coordinator.retractions"
)
SERVICES = ("coordinator", "gateway")


class BadInputs:
    """Each kind of bad record, plain and compressed, and thousands of fuzzed ones."""

    id = "B1"
    what = "bad inputs: taken or quarantined with a reason, and the partitions move on"

    async def run(self, context: Context) -> ScenarioResult:
        fuzzed = context.size(short=1_000, long=10_000)
        bad = BadRecords(context.random(), AGENT)
        path = context.folder / "client_log"
        sent: dict[str, BadRecord] = {}
        async with local_system(context.folder / "data", services=SERVICES) as system:
            await system.configure(AGENT)
            plain = [*bad.known(), *bad.odd(), *(bad.fuzzed() for _ in range(fuzzed))]
            sent |= await self._send(system, plain, path)
            raw = list(bad.raw())
            sent |= await asyncio.to_thread(self._send_raw, system.bootstrap_servers, raw, path)
            sent |= await self._send(system, bad.huge(), path)
            sent |= await self._send(system, bad.huge(), path, compression_type="gzip")
            async with FeedbackLoad(system.bootstrap_servers, path, (AGENT,)) as load:
                await load.send(GOOD)
            settled = await self._all_settled(system, len(sent) + GOOD)
            published = await self._all_published(system)
            state = await system.read_state()
            system_traffic = [row["event_id"] for row in await system.reader.fetch(SYSTEM_TRAFFIC)]
            alive = await system.ready("coordinator")
        account = self._balance(path, sent, state, system_traffic)
        problems = self._problems(sent, state)
        for fine, problem in (
            (settled, "not settled in time"),
            (published, "not all dead letters were published"),
            (alive, "the coordinator was not ready again"),
        ):
            if not fine:
                problems.append(problem)
        kinds = len({record.kind for record in sent.values()})
        return ScenarioResult(
            account=account,
            load=f"{len(sent):,} bad records of {kinds} kinds, {GOOD} good ones",
            faults=len(sent),
            survived=len(sent) - account.lost,
            trials=len(sent),
            problems=tuple(problems),
            facts={"odd or fuzzed, but readable": account.stored - GOOD},
        )

    async def _send(
        self, system: LocalSystem, records: Iterable[BadRecord], path: Path, **options: str
    ) -> dict[str, BadRecord]:
        """Send records as they are; returns them by their place, which stands in the client_log."""
        client_log, sent = ClientLog(path), {}
        async with AIOKafkaProducer(
            bootstrap_servers=system.bootstrap_servers, max_request_size=MOST_BYTES, **options
        ) as producer:
            for record in records:
                try:
                    stands = await producer.send_and_wait(
                        record.topic.name, record.value, key=record.key, headers=record.headers
                    )
                except MessageSizeTooLargeError:
                    continue  # the broker's own limit; nothing was acknowledged
                place = f"{stands.topic}/{stands.partition}/{stands.offset}"
                client_log.acknowledge(place)
                sent[place] = record
        client_log.close()
        return sent

    def _send_raw(
        self, servers: str, records: Iterable[BadRecord], path: Path
    ) -> dict[str, BadRecord]:
        """Send what aiokafka would not; returns them by their place, which stands in the
        client_log.
        """
        client_log, sent = ClientLog(path), {}
        with raw_producer(servers) as producer:
            for record in records:
                headers = [(name.encode(), value) for name, value in record.headers]
                try:
                    stands = producer.send(
                        record.topic.name,
                        record.value,
                        key=record.key,
                        headers=[*headers, *record.raw_headers],
                        timestamp_ms=record.timestamp_ms,
                    )
                except InvalidTimestampError:
                    continue  # Apache Kafka refuses it at once; the embedded broker takes it
                place = f"{record.topic.name}/{stands.partition}/{stands.offset}"
                client_log.acknowledge(place)
                sent[place] = record
        client_log.close()
        return sent

    async def _all_settled(self, system: LocalSystem, count: int) -> bool:
        async def settled() -> bool:
            system_traffic = len(await system.reader.fetch(SYSTEM_TRAFFIC))
            return (
                system_traffic + await system.count_stored() + await system.count_letters() >= count
            )

        return await until(settled, timeout=100)

    def _balance(
        self,
        path: Path,
        sent: dict[str, BadRecord],
        state: CoordinatorState,
        system_traffic: list[str],
    ) -> Account:
        places = {(dict(r.headers).get("ce_id") or b"").decode(): p for p, r in sent.items()}
        intended, acknowledged = read_client_log(path)
        return balance(
            (intended, acknowledged),
            stored=[
                places.get(event_id, event_id) for event_id in (*state.stored, *system_traffic)
            ],
            used=state.used,
            quarantined=[_place(letter) for letter in state.letters],
        )

    def _problems(self, sent: dict[str, BadRecord], state: CoordinatorState) -> list[str]:
        """Bad ones that were taken, and letters without a reason or double."""
        aside = Counter(_place(letter) for letter in state.letters)
        taken = Counter(r.kind for p, r in sent.items() if r.must_be_aside and p not in aside)
        problems = [f"{count} of kind '{kind}' not set aside" for kind, count in taken.items()]
        unexplained = sum(not letter.text("dlq_reason") for letter in state.letters)
        if unexplained:
            problems.append(f"{unexplained} dead letters without a reason")
        if double := sum(count - 1 for count in aside.values()):
            problems.append(f"{double} double dead letters")
        return problems

    async def _all_published(self, system: LocalSystem) -> bool:
        topic = dead_letters("coordinator").name

        async def published() -> bool:
            there = await count_records(system.bootstrap_servers, topic)
            return there >= await system.count_letters()

        return await until(published, timeout=60)


def _place(letter: HeaderView) -> str:
    """Where the record of a dead letter stood."""
    return "/".join(letter.text(name) for name in ("dlq_topic", "dlq_partition", "dlq_offset"))
