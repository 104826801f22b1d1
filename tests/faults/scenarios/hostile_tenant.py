"""H1: one tenant attacks in every way at once; an honest one beside it notices nothing."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass, field

import psutil

from archon_contracts.event_ids import event_id_of
from archon_contracts.topics import SERVICES
from deploy.gateway_client import AsyncGatewayClient
from tests.faults.accounting.client_log import balance, read_client_log
from tests.faults.brokers.servers import Reader
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.system import LocalSystem, local_system
from tests.faults.waiting import beside, until
from tests.faults.workload import hostile
from tests.faults.workload.attacker import Attacker, attacker
from tests.faults.workload.hostile import Answers
from tests.faults.workload.jobs import AGENT, TinyJobs, tiny_jobs
from tests.faults.workload.load import HttpFeedbackLoad, submitter_of_first_key
from tests.support.data.tiny_world import first_items

TENANT = "hostile"
TIMED_AGENT = "timed"
"""The honest agent whose events are timed. The one that retrains has only its corrections: timed
events of its own, of which a slower run sends more, would begin its retrain before them."""
JOBS_PER_TENANT = 60
"""Lower than as installed, so that a busy machine too takes so many jobs within the short run."""
STORED_SECONDS = 2.0
QUIET_EVENTS = 5
QUIET_MULTIPLE = 4.0
"""On a machine that is busy with other work an event takes its time without any attack; the limit
is then so many times the longest of the quiet ones."""
LONGEST_SECONDS = 10.0
"""No single event may take longer. The limit above is for the median: other scenarios run beside
this one, and a single event that they delay by a tenth of a second is not the attacker's doing."""
PAUSE_SECONDS = 0.5
RETRAIN_SECONDS = 120.0
BEGUN_SECONDS = 60.0
SEEN_THROUGH_SECONDS = 90.0
"""The attacker has the lowest claim to the processors: on a busy machine it needs a while until
each of its attacks has met its limit. Bounded, so that a limit that is gone is reported."""
MOST_MEGABYTES = {"gateway": 500.0, "coordinator": 400.0}
SCOPES = ["read", "write", "feedback"]
STORED = "SELECT count(*) FROM coordinator.feedback WHERE event_id = $1::text::uuid"
HONEST_ROWS = """
SELECT event_id::text, window_id FROM coordinator.feedback WHERE tenant_id = 'default'
"""
DEPLOYED = """
SELECT deployed ->> 'version' AS version FROM coordinator.agents
WHERE tenant_id = 'default' AND agent_id = $1
"""
EXPECTED_REFUSALS = {
    "policies": 422,
    "labels": 422,
    "huge events": 413,
    "odd numbers": 422,
    "span bombs": 413,
    "jobs": 429,
    "bodies without a key": 401,
    "streams": 429,
    "slow bodies": 408,
}
"""By attack: the answer that shows that it happened, and was seen through."""
CLOSES = frozenset({"bodies without a key", "slow bodies"})
"""Attacks whose connection may be closed before the client has read the answer."""


@dataclass(slots=True)
class HonestSide:
    """What the honest tenant and the machine went through meanwhile."""

    seconds: list[float] = field(default_factory=list)
    megabytes: dict[str, float] = field(default_factory=dict)
    not_stored: int = 0


class HostileTenantBeside:
    """The honest tenant sends feedback and retrains; every one of its events is timed."""

    id = "H1"
    what = "a tenant attacks in every way at once; another's feedback and retrain go on"

    async def run(self, context: Context) -> ScenarioResult:
        path, observed, quiet = context.folder / "client_log", HonestSide(), HonestSide()
        async with (
            local_system(
                context.folder / "data",
                trainer_work_dir=context.folder / "trainer",
                synthetic_generator_deadline_seconds=10,
                data_prep_deadline_seconds=60,
                gateway_jobs_per_tenant=JOBS_PER_TENANT,
            ) as system,
            tiny_jobs(system, context.folder) as jobs,
            HttpFeedbackLoad(
                system.runtime.endpoints.gateway_url, system.runtime.api_key, path, [TIMED_AGENT]
            ) as load,
        ):
            key = await self._set_up(system)
            problems = [] if await jobs.ended(await jobs.begin()) == "completed" else ["no first"]
            first = await self._deployed_version(system)
            await self._send(system, load, quiet, QUIET_EVENTS)
            url = system.runtime.endpoints.gateway_url
            async with (
                attacker(url, key, context.folder / "answers.json") as attack,
                beside(self._measure(system, observed)),
                beside(self._send(system, load, observed)),
            ):
                problems += await self._in_force(attack, context.size(short=15, long=600))
                await jobs.correct(load)
                problems += await self._retrained(system, jobs, first)
                problems += attack.find_problems()
            account = balance(
                read_client_log(path),
                stored=[row["event_id"] for row in await system.reader.fetch(HONEST_ROWS)],
                used=[],
                quarantined=[],
            )
            answers = attack.read()
            problems += [*self._find_problems(answers, observed, _limit(quiet)), *_restarts(system)]
        attacks = len(answers.statuses)
        return ScenarioResult(
            account=account,
            load=f"{attacks} attacks at once, {len(observed.seconds)} honest events, a retrain",
            faults=attacks,
            survived=attacks if not problems else 0,
            trials=len(observed.seconds),
            problems=tuple(problems),
            facts={
                "stored after, quiet, s": [round(each, 2) for each in quiet.seconds],
                "stored after, s": [round(each, 2) for each in sorted(observed.seconds)[-3:]],
                "largest, MB": {name: round(each) for name, each in observed.megabytes.items()},
                "answers": {
                    name: dict(sorted(counts.items())) for name, counts in answers.statuses.items()
                },
            },
        )

    async def _set_up(self, system: LocalSystem) -> str:
        """The key of a tenant with an agent that it can train; and the honest one's timed agent."""
        runtime = system.runtime
        async with AsyncGatewayClient(runtime.endpoints.gateway_url, runtime.api_key) as operator:
            body = {"name": "hostile", "scopes": SCOPES, "tenant_id": TENANT}
            key = (await operator.post("/v1/keys", body))["key"]
            timed = hostile.make_agent(TIMED_AGENT, trigger={"minimum_feedback": 10_000})
            await operator.post("/v1/agents", timed)
        async with AsyncGatewayClient(runtime.endpoints.gateway_url, key) as own:
            bait = [
                {"input": each["input"], "target": "ab"[number % 2]}
                for number, each in enumerate(first_items())
            ]
            await own.post("/v1/datasets", {"name": "bait", "purpose": "training", "items": bait})

            await own.post("/v1/agents", hostile.make_agent(hostile.AGENT))
        return str(key)

    async def _send(
        self, system: LocalSystem, load: HttpFeedbackLoad, seen: HonestSide, count: int = 10**9
    ) -> None:
        """One honest event after the other; each is timed until it is stored."""
        submitter = submitter_of_first_key(system.runtime.api_key)
        # A connection of its own: the retrain is watched on the system's meanwhile.
        reader = Reader(system.runtime.endpoints.database_url)
        for _ in range(count):
            event = load.make()
            event_id, began = str(event_id_of(event, submitter)), time.monotonic()

            async def is_stored(wanted: str = event_id) -> bool:
                return await reader.value(STORED, wanted) == 1

            await load.deliver([event])
            if await until(is_stored, timeout=20):
                seen.seconds.append(time.monotonic() - began)
            else:
                seen.not_stored += 1
            await asyncio.sleep(PAUSE_SECONDS)
        reader.close()

    async def _measure(self, system: LocalSystem, observed: HonestSide) -> None:
        """The largest size of the services that hold what tenants send."""
        while True:
            for name in MOST_MEGABYTES:
                if (pid := system.pid(name)) is not None:
                    size = psutil.Process(pid).memory_info().rss / 1e6
                    observed.megabytes[name] = max(observed.megabytes.get(name, 0.0), size)
            await asyncio.sleep(0.5)

    async def _in_force(self, attack: Attacker, seconds: float) -> list[str]:
        """The attack for so long, and until each of its parts has met its limit.

        The retrain that follows then runs against the whole of it. Without this wait a busy
        machine decides how much of the attack there was.
        """
        if not await attack.began(timeout=BEGUN_SECONDS):
            return [f"the attacker wrote no answers within {BEGUN_SECONDS:.0f} s"]

        async def is_seen_through() -> bool:
            return not _find_unanswered(attack.read())

        await asyncio.sleep(seconds)
        await until(is_seen_through, timeout=SEEN_THROUGH_SECONDS)
        return []  # an attack that met no limit is reported from its answers, at the end

    async def _retrained(self, system: LocalSystem, jobs: TinyJobs, first: str | None) -> list[str]:
        await jobs.retrained(1, timeout=RETRAIN_SECONDS)
        states = await jobs.retrains()
        if states != ["completed"]:
            return [f"the honest retrain is {', '.join(states) or 'not begun'}"]
        # A job whose version waits for a review is completed too.
        if await self._deployed_version(system) == first:
            return [f"the honest retrain is completed, and {first} is still the deployed version"]
        return []

    async def _deployed_version(self, system: LocalSystem) -> str | None:
        """The version that the honest agent which retrains serves with."""
        rows = await system.reader.fetch(DEPLOYED, AGENT)
        return rows[0]["version"] if rows else None

    def _find_problems(self, answers: Answers, observed: HonestSide, limit: float) -> list[str]:
        """What the honest tenant noticed, and attacks that did not happen."""
        problems = list(answers.problems[:5])
        median = statistics.median(observed.seconds or [float("inf")])
        longest = max(observed.seconds, default=0.0)
        if median > limit or longest > LONGEST_SECONDS or observed.not_stored:
            problems.append(
                f"{len(observed.seconds)} honest events were stored after {median:.1f} s (median; "
                f"{limit:.1f} s are allowed) and {longest:.1f} s (longest; {LONGEST_SECONDS:.0f} s "
                f"are allowed); {observed.not_stored} not within 20 s"
            )
        for name, most in MOST_MEGABYTES.items():
            if observed.megabytes.get(name, 0.0) > most:
                problems.append(f"the {name} held {observed.megabytes[name]:.0f} MB")
        return [*problems, *_find_unanswered(answers)]


def _limit(quiet: HonestSide) -> float:
    """Within this time an honest event must be stored, whatever the other tenant does."""
    return max(STORED_SECONDS, QUIET_MULTIPLE * max(quiet.seconds, default=0.0))


def _find_unanswered(answers: Answers) -> list[str]:
    """The attacks that did not happen, or that no limit has met."""
    problems = []
    for name, status in EXPECTED_REFUSALS.items():
        closed = name in CLOSES and answers.statuses[name][0]
        if not (answers.statuses[name][status] or closed):
            problems.append(
                f"{name} was never answered {status}, but {dict(answers.statuses[name])}"
            )
    return problems


def _restarts(system: LocalSystem) -> list[str]:
    return [
        f"{name} ended {system.status(name).restarts} times"
        for name in SERVICES
        if system.status(name).restarts
    ]
