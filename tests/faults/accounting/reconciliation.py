"""Closing the books: waits until everything acknowledged took effect, then draws the balance."""

from __future__ import annotations

from pathlib import Path

from tests.faults.accounting.client_log import Account, balance, read_ledger
from tests.faults.probes import Fleet, Noted
from tests.faults.waiting import until_still


async def close_books(
    probes: Fleet, ledger_path: Path, *, patience: float, told: bool = True, letters: int = 0
) -> tuple[Account, Noted, list[str]]:
    """Wait until all is done, or nothing moved for `patience` seconds.

    So many dead letters are expected. Returns the balance, what was noted, and what is wrong
    with it.
    """
    intended, acknowledged = read_ledger(ledger_path)

    async def all_done() -> bool:
        taken = await probes.count("taken")
        if taken + await probes.letters() < len(acknowledged):
            return False
        told_too = not told or await probes.count("told") >= taken
        return told_too and await probes.quiet()

    async def done() -> tuple[int, ...]:
        steps = [await probes.count(step) for step in ("taken", "told")]
        return (*steps, await probes.letters())

    quiet = await until_still(all_done, done, patience=patience)
    noted = await probes.noted()
    taken = [row["event_id"] for row in noted.taken]
    account = balance(
        (intended, acknowledged), stored=taken, used=noted.told, quarantined=noted.quarantined
    )
    problems = [] if quiet else [f"nothing moved for {patience:g} s"]
    if account.quarantined != letters:
        problems.append(f"{account.quarantined} dead letters, {letters} were expected")
    if told and set(noted.told) != set(taken):
        problems.append(f"{len(set(taken) ^ set(noted.told))} events without their second effect")
    if noted.out_of_order:
        problems.append(f"{noted.out_of_order} keys out of order")
    return account, noted, problems
