"""F9: every event three times, shuffled, against the same once; then the whole topic again."""

from __future__ import annotations

from archon_contracts.events import FeedbackReceived
from archon_contracts.topics import FEEDBACK, consumer_group
from tests.faults.accounting.client_log import balance, read_client_log
from tests.faults.brokers.topics import repeat_all, unread
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.system import LocalSystem, local_system
from tests.faults.waiting import until
from tests.faults.workload.load import FeedbackLoad

ONCE, THRICE = "once", "thrice"
WINDOWS = 2
CONTENT = """
SELECT array_agg(interaction_id ORDER BY interaction_id) AS items
FROM coordinator.feedback WHERE agent_id = $1 AND window_id IS NOT NULL
"""


class Repeats:
    """Two agents receive the same feedback; what their windows hold must be the same."""

    id = "F9"
    what = "every event three times, shuffled, and the whole topic again: as if sent once"

    async def run(self, context: Context) -> ScenarioResult:
        each = context.size(short=500, long=10_000)
        path = context.folder / "client_log"
        async with local_system(context.folder / "data", services=("coordinator",)) as system:
            for agent in (ONCE, THRICE):
                await system.configure(agent, minimum_feedback=each)
            async with FeedbackLoad(system.bootstrap_servers, path, (ONCE,)) as load:
                events = [load.make() for _ in range(each)]
                await self._send(load, events)
                again = [event.model_copy(update={"agent_id": THRICE}) for event in events] * 3
                context.random().shuffle(again)
                await self._send(load, again)

            async def both_claimed() -> bool:
                return len(await system.windows()) == WINDOWS

            claimed = await until(both_claimed, timeout=60)
            repeated = await repeat_all(system.bootstrap_servers, FEEDBACK.name)

            async def all_read() -> bool:
                group = consumer_group("coordinator", "feedback")
                return await unread(system.bootstrap_servers, FEEDBACK.name, group) == 0

            read = await until(all_read, timeout=60)
            state, windows = await system.read_state(), await system.windows()
            same = await self._items(system, ONCE) == await self._items(system, THRICE)
        problems = []
        if not claimed or set(windows.values()) != {each}:
            problems.append(f"windows of {sorted(windows.values())}, not two of {each}")
        if not read or repeated != 4 * each:
            problems.append(f"{repeated} of {4 * each} records repeated, all read: {read}")
        if not same:
            problems.append("the windows hold different items")
        return ScenarioResult(
            account=balance(
                read_client_log(path), stored=state.stored, used=state.used, quarantined=()
            ),
            load=f"{each:,} feedback events once, the same three times, all of it again",
            faults=2 * each,
            survived=2 * each if not problems else 0,
            trials=2 * each,
            problems=tuple(problems),
        )

    async def _send(self, load: FeedbackLoad, events: list[FeedbackReceived]) -> None:
        for start in range(0, len(events), 100):
            await load.deliver(events[start : start + 100])

    async def _items(self, system: LocalSystem, agent_id: str) -> list[str]:
        (row,) = await system.reader.fetch(CONTENT, agent_id)
        return list(row["items"] or ())
