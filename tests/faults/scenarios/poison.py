"""B2: commands that make their handler fail, hang, stop the loop, or kill the process.

First a consumer of single records is tested, then one of batches, each on servers of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.accounting.client_log import Account
from tests.faults.accounting.reconciliation import reconcile
from tests.faults.brokers.servers import servers
from tests.faults.probes import Fleet, fleet
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.workload.load import CommandLoad

ATTEMPTS = 2
POISONS = ("kill", "raise", "wait")
SLOW_POISON = "block"  # the watchdog needs seconds to notice each of its tries


@dataclass(frozen=True, slots=True)
class _Attack:
    """What one of the two consumers made of it."""

    account: Account
    faults: int
    survived: int
    tries: str
    problems: list[str]


class PoisonedCommands:
    """Poison among good commands: each is set aside after its tries, and the rest goes on."""

    id = "B2"
    what = "poison that kills, fails or hangs, alone or in a batch, set aside after N counted tries"

    async def run(self, context: Context) -> ScenarioResult:
        single = await self._attack(context, batch=False)
        batch = await self._attack(context, batch=True)
        account = single.account + batch.account
        poison = single.faults + batch.faults
        return ScenarioResult(
            account=account,
            load=f"{account.sent:,} commands, {poison} of them poison, half of each in batches",
            faults=poison,
            survived=single.survived + batch.survived,
            trials=poison,
            problems=(*single.problems, *(f"in batches: {each}" for each in batch.problems)),
            facts={"tries of each": single.tries, "in batches": batch.tries},
        )

    async def _attack(self, context: Context, *, batch: bool) -> _Attack:
        good = context.size(short=100, long=2_000)
        poisons = self._poisons(context)
        folder = context.folder / ("batches" if batch else "singles")
        async with servers(folder) as both, fleet(both, folder) as probes:
            name = await probes.start(
                handler_attempts=ATTEMPTS,
                handler_timeout_seconds=1,
                probe_blocked_loop_seconds=2,
                probe_batch=batch,
            )
            async with CommandLoad(
                both.bootstrap_servers, folder / "client_log", context.seed
            ) as load:
                bad_ids = []
                for poison in poisons:
                    await load.send(good // len(poisons))
                    bad_ids += await load.send(1, reason=poison)
                await load.send(good // len(poisons))
            # A batch is tried whole, then record by record: twice as many kills and new starts.
            account, effects, problems = await reconcile(
                probes,
                folder / "client_log",
                stall_seconds=100 if batch else 50,
                letters=len(poisons),
            )
            tries = await self._tries(probes)
            if not await probes.ready(name):
                problems.append("the probe was not ready again")
        aside = set(effects.quarantined)
        if aside != {str(event_id) for event_id in bad_ids}:
            problems.append(f"{len(aside)} set aside, {len(bad_ids)} were poison")
        return _Attack(account, len(poisons), len(aside), tries, problems)

    def _poisons(self, context: Context) -> list[str]:
        each = context.size(short=1, long=30)
        poisons = list(POISONS * each) + [SLOW_POISON] * context.size(short=1, long=10)
        context.random().shuffle(poisons)
        return poisons

    async def _tries(self, probes: Fleet) -> str:
        """What the dead letters say about tries."""
        return ", ".join(sorted(await probes.letter_headers("dlq_attempts")))
