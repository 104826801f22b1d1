"""Runs scenarios, each in a process and a folder of its own, and reports how they ended."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import structlog
import uvloop
from rich.console import Console
from rich.table import Table

from deploy.local.revision import code_revision
from tests.faults.accounting.client_log import Account
from tests.faults.scenario import Context, Scenario, ScenarioResult

NOTHING = Account(0, 0, 0, 0, 0, 0, 0)
LONGEST_SHORT_SECONDS = 300
LONGEST_LONG_SECONDS = 5_400
LOG_LINES, LOG_COLUMNS = 6, 300


@dataclass(frozen=True, slots=True)
class Line:
    """One scenario's result."""

    scenario: Scenario
    outcome: ScenarioResult
    seed: int
    seconds: float
    at: datetime

    def record(self) -> dict[str, object]:
        """As a line of results.jsonl."""
        outcome = self.outcome
        return {
            "at": self.at.isoformat(timespec="seconds"),
            "scenario": self.scenario.id,
            "what": self.scenario.what,
            "load": outcome.load,
            **asdict(outcome.account),
            "faults": outcome.faults,
            "survived": outcome.survived,
            "passed": outcome.passed,
            "not_run": outcome.not_run,
            "bound": outcome.bound,
            "problems": list(outcome.problems),
            "facts": dict(outcome.facts),
            "seed": self.seed,
            "revision": code_revision(),
            "seconds": round(self.seconds, 1),
        }


def run_all(
    scenarios: Sequence[Scenario],
    *,
    seeds: Sequence[int],
    long: bool,
    jobs: int,
    console: Console,
    keep: Path,
) -> list[Line]:
    """Run each with each seed, `jobs` at a time; one that raises has failed, the rest runs on.

    Each line is recorded in `keep` as soon as it is there.

    A scenario has a process of its own: what it sets, leaks or breaks ends with it. The one of an
    hour begins first, so that the others run beside it.
    """
    wanted = [(scenario, seed) for seed in seeds for scenario in scenarios]
    order = sorted(wanted, key=lambda each: not getattr(each[0], "long_only", False))
    found: dict[tuple[str, int], Line] = {}
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_be_quiet, max_tasks_per_child=1
    ) as pool:
        running = {
            pool.submit(_run_one, scenario, seed=seed, long=long, keep=keep): (scenario, seed)
            for scenario, seed in order
        }
        for over in as_completed(running):
            line = _line_of(over, *running[over])
            write_results([line], keep / "results.jsonl")
            found[line.scenario.id, line.seed] = line
            _print_line(line, console)
            if not line.outcome.passed and not line.outcome.not_run:
                _print_logs(keep / f"{line.scenario.id}-{line.seed}", console)
    return [found[scenario.id, seed] for scenario, seed in wanted]


def _line_of(over: Future[Line], scenario: Scenario, seed: int) -> Line:
    """Its line, also where the process of the scenario died."""
    error = over.exception()
    if error is None:
        return over.result()
    return Line(scenario, _failed(error), seed, 0.0, datetime.now(UTC))


def _failed(error: BaseException) -> ScenarioResult:
    reason = f"{type(error).__name__}: {error}"
    return ScenarioResult(
        account=NOTHING, load="", faults=0, survived=0, trials=0, problems=(reason,)
    )


def _be_quiet() -> None:
    """What the parts under attack have to say stands in their own logs."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _run_one(scenario: Scenario, *, seed: int, long: bool, keep: Path) -> Line:
    folder = Path(tempfile.mkdtemp(prefix=f"archon-{scenario.id.lower()}-"))
    context = Context(scenario.id, folder, seed, long)
    at, started = datetime.now(UTC), time.monotonic()
    short = getattr(scenario, "longest_short_seconds", LONGEST_SHORT_SECONDS)
    limit = LONGEST_LONG_SECONDS if long else short
    try:
        outcome = uvloop.run(_bounded(scenario, context, limit))
    except Exception as error:  # noqa: BLE001  whatever goes wrong is the scenario's result
        traceback.print_exc()
        outcome = _failed(error)
    if not outcome.passed and not outcome.not_run:
        shutil.copytree(folder, keep / f"{scenario.id}-{seed}", dirs_exist_ok=True, ignore=_bulky)
    shutil.rmtree(folder, ignore_errors=True)
    return Line(scenario, outcome, seed, time.monotonic() - started, at)


async def _bounded(scenario: Scenario, context: Context, seconds: float) -> ScenarioResult:
    async with asyncio.timeout(seconds):
        return await scenario.run(context)


def _bulky(_folder: str, names: list[str]) -> list[str]:
    """Databases and the records of nodes (`data`) are not kept; logs are."""
    bulky = {"postgres", "broker", "artifacts", "trainer", "data"}
    return [name for name in names if name in bulky]


def _print_line(line: Line, console: Console) -> None:
    outcome = line.outcome
    status = "[green]passed[/green]" if outcome.passed else "[red]FAILED[/red]"
    if outcome.not_run:
        status = f"[yellow]not run[/yellow] ({outcome.not_run})"
    console.print(
        f"[bold]{line.scenario.id}[/bold] {line.scenario.what}\n"
        f"   {status} with seed {line.seed} in {line.seconds:.0f} s: {outcome.account}; "
        f"{outcome.survived} of {outcome.faults} faults survived",
        highlight=False,
    )
    for problem in outcome.problems:
        console.print(f"   [red]{problem}[/red]", highlight=False)
    facts = ", ".join(f"{name} {value}" for name, value in outcome.facts.items())
    if facts:
        console.print(f"   {facts}", style="dim", highlight=False)


def _print_logs(folder: Path, console: Console) -> None:
    """How the logs of a failed scenario end: on another machine they are all that is left."""
    for path in sorted(folder.rglob("*.log")):
        ending = path.read_text(errors="replace").splitlines()[-LOG_LINES:]
        console.print(
            f"   {path}",
            *(f"      {text[:LOG_COLUMNS]}" for text in ending),
            sep="\n",
            style="dim",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def write_results(lines: Sequence[Line], path: Path) -> None:
    """Append a JSON line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for line in lines:
            file.write(json.dumps(line.record()) + "\n")


def table_of(lines: Sequence[Line]) -> Table:
    """All results at a glance."""
    table = Table()
    columns = ("", "seed", "load", "sent", "stored", "effects", "quarantined", "lost", "double")
    for name in (*columns, "faults survived", "bound 3/n", "s"):
        table.add_column(name, justify="left" if name in {"", "load"} else "right")
    for line in lines:
        table.add_row(*cells(line), style="" if line.outcome.passed else "red")
    return table


def cells(line: Line) -> list[str]:
    """A result as a row of text."""
    outcome, account = line.outcome, line.outcome.account
    return [
        line.scenario.id,
        str(line.seed),
        outcome.load,
        *(f"{n:,}" for n in (account.sent, account.stored, account.effects, account.quarantined)),
        *(f"{n:,}" for n in (account.lost, account.double)),
        f"{outcome.survived} of {outcome.faults}",
        f"{outcome.bound:.2g}" if outcome.bound else "-",
        f"{line.seconds:.0f}",
    ]
