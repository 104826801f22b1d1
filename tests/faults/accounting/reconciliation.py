"""Reconciliation: waits until everything acknowledged took effect, then computes the balance."""

from __future__ import annotations

from pathlib import Path

from tests.faults.accounting.client_log import Account, balance, read_client_log
from tests.faults.probes import Fleet, ProbeEffects
from tests.faults.waiting import until_still


async def reconcile(
    probes: Fleet,
    client_log_path: Path,
    *,
    stall_seconds: float,
    with_events: bool = True,
    letters: int = 0,
) -> tuple[Account, ProbeEffects, list[str]]:
    """Wait until all is done, or nothing moved for `stall_seconds` seconds.

    So many dead letters are expected. Returns the balance, what took effect, and what is wrong
    with it.
    """
    intended, acknowledged = read_client_log(client_log_path)

    async def all_done() -> bool:
        handled = await probes.count("handled")
        if handled + await probes.letters() < len(acknowledged):
            return False
        events_done = not with_events or await probes.count("consumed") >= handled
        return events_done and await probes.quiet()

    async def done() -> tuple[int, ...]:
        steps = [await probes.count(step) for step in ("handled", "consumed")]
        return (*steps, await probes.letters())

    quiet = await until_still(all_done, done, stall_seconds=stall_seconds)
    effects = await probes.read_effects()
    handled = [row["event_id"] for row in effects.handled]
    account = balance(
        (intended, acknowledged),
        stored=handled,
        used=effects.consumed,
        quarantined=effects.quarantined,
    )
    problems = [] if quiet else [f"nothing moved for {stall_seconds:g} s"]
    if account.quarantined != letters:
        problems.append(f"{account.quarantined} dead letters, {letters} were expected")
    if with_events and set(effects.consumed) != set(handled):
        problems.append(
            f"{len(set(handled) ^ set(effects.consumed))} events without their second effect"
        )
    if effects.out_of_order:
        problems.append(f"{effects.out_of_order} keys out of order")
    return account, effects, problems
