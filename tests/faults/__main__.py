"""`python -m tests.faults [--long] [--seed 1,2] [--only F1,F3] [--jobs 2] [--readme]`."""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from deploy.local.revision import code_revision
from tests.faults.readme import write_table
from tests.faults.runner import run_all, table_of
from tests.faults.scenarios import ALL

RESULTS = Path("var/faults")


def main(arguments: list[str]) -> int:
    """Run, print, record; 1 when a guarantee was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the loads of the acceptance table")
    parser.add_argument("--seed", default="1", help="every choice derives from it; or 1,2,3")
    parser.add_argument("--jobs", type=int, default=2, help="scenarios at a time")
    parser.add_argument("--only", default="", help="scenarios, separated by commas")
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    chosen = parser.parse_args(arguments)
    wanted = {name.strip() for name in chosen.only.split(",") if name.strip()}
    scenarios = [each for each in ALL if wanted & {each.id, each.id.rstrip("abc")}]
    if not wanted:
        scenarios = [
            each
            for each in ALL
            if chosen.long
            or not (getattr(each, "long_only", False) or getattr(each, "on_request", False))
        ]
    if unknown := wanted.difference(*({each.id, each.id.rstrip("abc")} for each in ALL)):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    seeds = _seeds(chosen.seed, parser)
    console, began = Console(width=140), time.monotonic()
    lines = run_all(
        scenarios,
        seeds=seeds,
        long=chosen.long,
        jobs=chosen.jobs,
        console=console,
        keep=RESULTS,
    )
    seconds = time.monotonic() - began
    console.print(table_of(lines))
    passed = [each for each in lines if each.outcome.passed]
    skipped = [each for each in lines if each.outcome.not_run]
    failed = [
        f"{each.scenario.id}/{each.seed}" for each in lines if each not in (*passed, *skipped)
    ]
    console.print(
        f"{len(passed)} of {len(lines)} scenarios passed, {len(skipped)} not run, "
        f"in {seconds:.0f} s, seed {chosen.seed}, revision {code_revision()}"
        + (f"; failed: {', '.join(failed)}" if failed else ""),
        highlight=False,
    )
    if chosen.readme:
        write_table(lines, long=chosen.long, command=" ".join(arguments), seconds=seconds)
    return 1 if failed else 0


def _seeds(text: str, parser: argparse.ArgumentParser) -> list[int]:
    if not all(part.strip().isdigit() for part in text.split(",")):
        parser.error(f"--seed {text}: give numbers, separated by commas")
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
