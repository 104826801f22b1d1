"""B2: commands that make their handler fail, hang, stop the loop, or kill the process."""

from __future__ import annotations

from tests.faults.books import close_books
from tests.faults.load import CommandLoad
from tests.faults.probes import Fleet, fleet
from tests.faults.scenario import Context, Outcome
from tests.faults.servers import servers

ATTEMPTS = 2
POISONS = ("kill", "raise", "wait")
SLOW_POISON = "block"  # the watchdog needs seconds to notice each of its tries


class PoisonedCommands:
    """Poison among good commands: each is set aside after its tries, and the rest goes on."""

    id = "B2"
    what = "poison that kills the process, fails or hangs, quarantined after N counted tries"

    async def run(self, context: Context) -> Outcome:
        good = context.size(short=100, long=2_000)
        poisons = self._poisons(context)
        ledger = context.folder / "ledger"
        async with servers(context.folder) as both, fleet(both, context.folder) as probes:
            name = await probes.start(
                handler_attempts=ATTEMPTS, handler_timeout_seconds=1, probe_blocked_loop_seconds=2
            )
            async with CommandLoad(both.bootstrap_servers, ledger, context.seed) as load:
                bad_ids = []
                for poison in poisons:
                    await load.send(good // len(poisons))
                    bad_ids += await load.send(1, reason=poison)
                await load.send(good // len(poisons))
            account, noted, problems = await close_books(
                probes, ledger, patience=30, letters=len(poisons)
            )
            attempts = await self._attempts(probes)
            if not await probes.ready(name):
                problems.append("the probe was not ready again")
        aside = set(noted.quarantined)
        if aside != {str(event_id) for event_id in bad_ids}:
            problems.append(f"{len(aside)} set aside, {len(bad_ids)} were poison")
        return Outcome(
            account=account,
            load=f"{account.sent:,} commands, {len(poisons)} of them poison",
            faults=len(poisons),
            survived=len(aside),
            trials=len(poisons),
            problems=tuple(problems),
            facts={"tries of each": attempts},
        )

    def _poisons(self, context: Context) -> list[str]:
        each = context.size(short=1, long=30)
        poisons = list(POISONS * each) + [SLOW_POISON] * context.size(short=1, long=10)
        context.random().shuffle(poisons)
        return poisons

    async def _attempts(self, probes: Fleet) -> str:
        """What the dead letters say about tries."""
        return ", ".join(sorted(await probes.letter_headers("dlq_attempts")))
