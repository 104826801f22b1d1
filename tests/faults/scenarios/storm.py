"""F14: a storm of feedback for many agents, with a second coordinator that comes and goes."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from archon_contracts.commands import CancelJob
from archon_contracts.event_ids import event_id_of
from archon_contracts.events import FeedbackReceived
from archon_contracts.traffic_classes import TrafficClass
from tests.faults.accounting.client_log import balance, read_client_log
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.system import LocalSystem, local_system
from tests.faults.workload.load import KAFKA_SOURCE, FeedbackLoad, send_commands

MINIMUM = 60
EVENTS_PER_AGENT = 100
BATCH = 500
REPEATED_FRACTION, SYSTEM_FRACTION = 0.2, 0.05
A_DAY = 86_400
A_MINUTE = 60.0
WAIT_SECONDS = 90
CLAIMED = """
SELECT w.agent_id, w.sequence, w.feedback_count, w.feedback_digest,
       array_agg(f.event_id::text) AS ids
FROM coordinator.windows w LEFT JOIN (
    SELECT window_id, event_id FROM coordinator.feedback
    UNION ALL
    SELECT window_id, event_id FROM coordinator.window_returns
) f USING (window_id)
GROUP BY w.window_id
ORDER BY w.agent_id, w.sequence
"""
COUNTERS = "SELECT agent_id, unused, open_job_id FROM coordinator.feedback_stats"
ENDED = "SELECT count(*) FROM coordinator.jobs WHERE state = 'cancelled'"
SYSTEM_TRAFFIC = "SELECT count(*) FROM coordinator.internal_traffic"


@dataclass(frozen=True, slots=True)
class Claimed:
    """One window as it stands in the database."""

    agent_id: str
    sequence: int
    count: int
    digest: str
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Storm:
    """What is sent: feedback in the order of its sends, repetitions and system traffic too."""

    agents: tuple[str, ...]
    feedback_events: tuple[FeedbackReceived, ...]
    sends: tuple[FeedbackReceived, ...]
    system: int

    @property
    def of_agent(self) -> Counter[str]:
        """How many different feedback events of production each agent gets."""
        return Counter(event.agent_id for event in self.feedback_events)


class FeedbackStorm:
    """No job ever ends by itself, so the right number of windows is known to the last one."""

    id = "F14"
    what = "a storm of feedback events for many agents: the right windows, no more"

    async def run(self, context: Context) -> ScenarioResult:
        agents = tuple(f"agent-{n:04}" for n in range(context.size(short=200, long=1_000)))
        client_log = context.folder / "client_log"
        async with local_system(
            context.folder / "data",
            services=("coordinator",),
            planning_seconds=A_DAY,
            requested_seconds=A_DAY,
        ) as system:
            await system.configure_all(agents, minimum_feedback=MINIMUM)
            async with FeedbackLoad(system.bootstrap_servers, client_log, agents) as load:
                storm = make_storm(load, agents, context.random())
                survived, seconds = await self._blow(system, load, storm, context)
            problems = await self._look(system, storm)
            state = await system.read_state()
        if context.long and seconds > A_MINUTE:
            problems.append(f"sending took {seconds:.0f} s, a storm is over within {A_MINUTE:.0f}")
        return ScenarioResult(
            account=balance(
                read_client_log(client_log),
                stored=state.stored,
                used=state.used,
                quarantined=[letter.text("ce_id") for letter in state.letters],
            ),
            load=f"{len(storm.feedback_events):,} feedback events of {len(agents):,} agents",
            faults=2,
            survived=survived,
            trials=len(storm.feedback_events),
            problems=tuple(problems),
            facts={"sends": len(storm.sends), "time of sending, s": round(seconds)},
        )

    async def _blow(
        self, system: LocalSystem, load: FeedbackLoad, storm: Storm, context: Context
    ) -> tuple[int, float]:
        """Send all of it; on the way a second coordinator joins the first, and leaves it.

        Returns how many of the two were survived, and the seconds of sending alone.
        """
        third = len(storm.sends) // 3
        seconds = await _send(load, storm.sends[:third])
        async with system.extra_process("coordinator", context.folder / "second.log") as second:
            joined = await second.ready(timeout=60)
            seconds += await _send(load, storm.sends[third : 2 * third])
        seconds += await _send(load, storm.sends[2 * third :])
        return joined + (second.exit_code == 0), seconds

    async def _look(self, system: LocalSystem, storm: Storm) -> list[str]:
        """After the storm, and each time after all jobs were cancelled, till nothing comes."""
        problems: list[str] = []
        if not await system.all_settled(len(storm.feedback_events), timeout=WAIT_SECONDS):
            problems.append("not all feedback events were settled")
        if not await system.reaches(SYSTEM_TRAFFIC, storm.system, timeout=WAIT_SECONDS):
            problems.append("not all traffic of the system was recorded")
        ids = _ids_by_agent(storm.feedback_events)
        unclaimed, cancelled = dict(storm.of_agent), 0
        for round_ in range(1, 4):
            windows = await claimed(system)
            problems += wrong_windows(windows, round_, unclaimed, ids)
            open_jobs = await self._close_round(system, windows, round_, unclaimed, problems)
            await send_commands(
                system.bootstrap_servers, [CancelJob(job_id=job) for job in open_jobs]
            )
            cancelled += len(open_jobs)
            if not await system.reaches(ENDED, cancelled, timeout=WAIT_SECONDS):
                problems.append(f"not all jobs of round {round_} ended")
        return problems

    async def _close_round(
        self,
        system: LocalSystem,
        windows: Sequence[Claimed],
        round_: int,
        unclaimed: dict[str, int],
        problems: list[str],
    ) -> list[UUID]:
        """Take this round's windows off what is unclaimed; returns the jobs that are open."""
        for window in windows:
            if window.sequence == round_:
                unclaimed[window.agent_id] -= window.count
        counters = {row["agent_id"]: row for row in await system.reader.fetch(COUNTERS)}
        wrong = [a for a, n in unclaimed.items() if counters[a]["unused"] != n]
        if wrong:
            problems.append(f"round {round_}: {len(wrong)} counters are wrong, such as {wrong[0]}")
        busy = {a for a, row in counters.items() if row["open_job_id"] is not None}
        if busy != {window.agent_id for window in windows if window.sequence == round_}:
            problems.append(f"round {round_}: {len(busy)} agents have an open job")
        return [row["open_job_id"] for row in counters.values() if row["open_job_id"] is not None]


def make_storm(load: FeedbackLoad, agents: tuple[str, ...], chance: random.Random) -> Storm:
    """Feedback spread evenly or not, a fifth of them sent twice, some of the system's own."""
    weights = [1.0] * len(agents)
    if chance.random() < 0.5:
        weights = [1 / (place + 1) ** 0.7 for place in range(len(agents))]
    count = EVENTS_PER_AGENT * len(agents)
    names = chance.choices(agents, weights, k=count)
    feedback_events = [load.make().model_copy(update={"agent_id": name}) for name in names]
    again = chance.sample(feedback_events, k=int(REPEATED_FRACTION * count))
    own = [
        load.make().model_copy(update={"agent_id": name, "traffic_class": TrafficClass.SHADOW})
        for name in chance.choices(agents, k=int(SYSTEM_FRACTION * count))
    ]
    sends = [*feedback_events, *again, *own]
    chance.shuffle(sends)
    return Storm(agents, tuple(feedback_events), tuple(sends), len(own))


async def claimed(system: LocalSystem) -> list[Claimed]:
    """Every window with what it holds."""
    rows = await system.reader.fetch(CLAIMED)
    return [
        Claimed(
            row["agent_id"],
            row["sequence"],
            row["feedback_count"],
            row["feedback_digest"],
            frozenset(row["ids"]),
        )
        for row in rows
    ]


def wrong_windows(
    windows: Sequence[Claimed],
    round_: int,
    unclaimed: dict[str, int],
    ids: dict[str, frozenset[str]],
) -> list[str]:
    """What is wrong with the windows after so many rounds of ended jobs.

    In the first round an agent claims somewhere between its minimum and all it gets, later on all
    that is left of it.
    """
    new = {window.agent_id: window for window in windows if window.sequence == round_}
    due = {agent for agent, count in unclaimed.items() if count >= MINIMUM}
    problems = []
    if len(new) != len([w for w in windows if w.sequence >= round_]):
        problems.append(f"round {round_}: some agents have more than {round_} windows")
    if set(new) != due:
        odd = sorted(set(new) ^ due)
        problems.append(f"round {round_}: {len(odd)} agents with a window too many or too few")
    for agent, window in new.items():
        least = MINIMUM if round_ == 1 else unclaimed[agent]
        if not least <= window.count <= unclaimed[agent]:
            problems.append(f"round {round_}: {agent} claimed {window.count}")
    problems += [f"{w.agent_id}: window {w.sequence} {p}" for w in windows for p in _flaws(w, ids)]
    seen = Counter(event_id for window in windows for event_id in window.ids)
    if seen and max(seen.values()) > 1:
        problems.append(f"round {round_}: windows share feedback events")
    return problems


def _flaws(window: Claimed, ids: dict[str, frozenset[str]]) -> list[str]:
    flaws = []
    if len(window.ids) != window.count:
        flaws.append(f"holds {len(window.ids)} and says {window.count}")
    if not window.ids <= ids[window.agent_id]:
        flaws.append("holds what was never sent for it")
    if hashlib.sha256("\n".join(sorted(window.ids)).encode()).hexdigest() != window.digest:
        flaws.append("has a digest of other feedback events")
    return flaws


def _ids_by_agent(feedback_events: Sequence[FeedbackReceived]) -> dict[str, frozenset[str]]:
    ids: dict[str, set[str]] = {}
    for event in feedback_events:
        ids.setdefault(event.agent_id, set()).add(str(event_id_of(event, KAFKA_SOURCE)))
    return {agent: frozenset(found) for agent, found in ids.items()}


async def _send(load: FeedbackLoad, sends: Sequence[FeedbackReceived]) -> float:
    """Send until all is acknowledged; returns the seconds that it took."""
    began = time.monotonic()
    for start in range(0, len(sends), BATCH):
        batch = sends[start : start + BATCH]
        await load.deliver([event for event in batch if event.traffic_class is None])
        await load.deliver_unlisted([event for event in batch if event.traffic_class is not None])
        await asyncio.sleep(0)
    return time.monotonic() - began
