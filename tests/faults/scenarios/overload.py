"""F15: the gateway is flooded over a frozen broker: it refuses in time, and loses nothing."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from archon_contracts.event_ids import event_id_of
from archon_contracts.events import FeedbackReceived
from deploy.local.layout import BROKER
from tests.faults.accounting.client_log import ClientLog
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.system import LocalSystem, local_system
from tests.faults.workload.load import made_feedback, submitter_of_first_key

AGENT = "agent-0"
SENDERS = 8
BATCH = 100
LIMITS = {
    "gateway_inflight_events_limit": 500,
    "gateway_inflight_tenant_fraction": 1.0,  # one tenant alone
    "gateway_outbox_age_limit_seconds": 2,
    "gateway_ack_timeout_seconds": 3,
}
COMMAND = "/v1/functions/generateSyntheticTrainingData"
COMMAND_BODY = {"scenarioType": "customer-support", "count": 10, "difficulty": "easy"}
MOST_MEGABYTES = 250.0
LONGEST_WAIT_SECONDS = 5.0
GIVE_UP_SECONDS = 100.0


@dataclass(slots=True)
class Seen:
    """Answers by status, what was wrong with them, and the gateway's size."""

    statuses: Counter[int] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    commands: Counter[int] = field(default_factory=Counter)

    def record(self, response: httpx.Response) -> None:
        """A refusal for load says when to come again; nothing else is refused."""
        self.statuses[response.status_code] += 1
        if response.status_code == 202:
            return
        wait = response.headers.get("Retry-After", "")
        if response.status_code not in (429, 503) or not wait.isdigit() or int(wait) < 1:
            self.problems.append(f"{response.status_code}, Retry-After {wait!r}: {response.text}")


class Overload:
    """Senders that never wait long, against a broker that is frozen in the middle."""

    id = "F15"
    what = "the gateway flooded over a frozen broker: 429 and Retry-After, bounded memory"

    async def run(self, context: Context) -> ScenarioResult:
        events = context.size(short=8_000, long=80_000)
        freezes = context.size(short=1, long=5)
        path, seen = context.folder / "client_log", Seen()
        async with local_system(
            context.folder / "data", services=("gateway", "coordinator"), **LIMITS
        ) as system:
            await system.configure(AGENT)
            flood = asyncio.create_task(self._flood(system, path, events, seen))
            for _ in range(freezes):
                await asyncio.sleep(context.random().uniform(0.2, 0.6))
                await self._freeze(system, seen)
            async with asyncio.timeout(GIVE_UP_SECONDS * context.size(short=1, long=6)):
                await flood
            account, problems = await system.reconcile(path, stall_seconds=30)
        problems += [*seen.problems[:3], *self._missing(seen)]
        return ScenarioResult(
            account=account,
            load=f"{events:,} feedback events over HTTP from {SENDERS} senders",
            faults=freezes,
            survived=freezes if not problems else 0,
            trials=events,
            problems=tuple(problems),
            facts={
                "answers": dict(sorted(seen.statuses.items())),
                "commands while frozen": dict(sorted(seen.commands.items())),
                "largest, MB": round(max(seen.megabytes)),
            },
        )

    def _missing(self, seen: Seen) -> list[str]:
        """What the fault should have shown."""
        problems = []
        if not seen.statuses[429]:
            problems.append("no feedback was refused for load: the fault did not happen")
        if not seen.commands[429]:
            problems.append("no command was refused while the outbox could not empty")
        if max(seen.megabytes) > MOST_MEGABYTES:
            problems.append(f"the gateway held {max(seen.megabytes):.0f} MB")
        return problems

    async def _flood(self, system: LocalSystem, path: Path, events: int, seen: Seen) -> None:
        client_log = ClientLog(path)
        self._submitter = submitter_of_first_key(system.runtime.api_key)
        batches = [
            [made_feedback(AGENT, start + number) for number in range(BATCH)]
            for start in range(0, events, BATCH)
        ]
        async with self._client(system) as http, asyncio.TaskGroup() as group:
            for number in range(SENDERS):
                group.create_task(self._send(http, batches[number::SENDERS], client_log, seen))
        client_log.close()

    async def _send(
        self,
        http: httpx.AsyncClient,
        batches: list[list[FeedbackReceived]],
        client_log: ClientLog,
        seen: Seen,
    ) -> None:
        """Each batch again, after the time that the gateway names, until it is taken."""
        for batch in batches:
            for event in batch:
                client_log.intend(event_id_of(event, self._submitter))
            body = {"events": [event.to_json() for event in batch]}
            while True:
                response = await http.post("/v1/feedback", json=body)
                seen.record(response)
                if response.status_code == 202:
                    break
                wait = float(response.headers.get("Retry-After", "1"))
                await asyncio.sleep(min(wait, LONGEST_WAIT_SECONDS))
            for event in batch:
                client_log.acknowledge(event_id_of(event, self._submitter))

    async def _freeze(self, system: LocalSystem, seen: Seen) -> None:
        """Commands wait in the outbox, and are refused once they wait too long; reads go on."""
        gateway = psutil.Process(system.pid("gateway"))
        system.send(BROKER, signal.SIGSTOP)
        try:
            async with self._client(system) as http:
                for _ in range(14):
                    command = await http.post(COMMAND, json=COMMAND_BODY)
                    seen.commands[command.status_code] += 1
                    read = await http.get(f"/v1/agents/{AGENT}")
                    if read.status_code != 200:
                        seen.problems.append(f"a read was answered {read.status_code}")
                    seen.megabytes.append(gateway.memory_info().rss / 1e6)
                    await asyncio.sleep(0.5)
        finally:
            system.send(BROKER, signal.SIGCONT)

    def _client(self, system: LocalSystem) -> httpx.AsyncClient:
        runtime = system.runtime
        return httpx.AsyncClient(
            base_url=runtime.endpoints.gateway_url,
            headers={"Authorization": f"Bearer {runtime.api_key}"},
            timeout=30,
        )
