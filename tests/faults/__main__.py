"""`python -m tests.faults [--long] [--seed N] [--only F1,F3] [--readme]` runs the fault suite."""

import argparse
import logging
import os
import sys
from pathlib import Path

import structlog
from rich.console import Console

from deploy.local.revision import code_revision
from tests.faults.readme import write_table
from tests.faults.runner import run_all, table_of, write_results
from tests.faults.scenarios import ALL

RESULTS = Path("var/faults")


def main(arguments: list[str]) -> int:
    """Run, print, record; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the loads of the acceptance table")
    parser.add_argument("--seed", type=int, default=1, help="every choice derives from it")
    parser.add_argument("--only", default="", help="scenarios, separated by commas")
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    chosen = parser.parse_args(arguments)
    wanted = {name.strip() for name in chosen.only.split(",") if name.strip()}
    scenarios = [each for each in ALL if wanted & {each.id, each.id.rstrip("abc")}]
    if not wanted:
        scenarios = [each for each in ALL if chosen.long or not getattr(each, "long_only", False)]
    if not scenarios:
        parser.error(f"there is no scenario {chosen.only}")
    console = Console(width=140)
    # What the parts under attack have to say stands in their own logs.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    lines = run_all(scenarios, seed=chosen.seed, long=chosen.long, console=console, keep=RESULTS)
    write_results(lines, RESULTS / "results.jsonl")
    console.print(table_of(lines))
    failed = [line.scenario.id for line in lines if not line.outcome.passed]
    seconds = sum(line.seconds for line in lines)
    console.print(
        f"{len(lines) - len(failed)} of {len(lines)} scenarios passed in {seconds:.0f} s, "
        f"seed {chosen.seed}, revision {code_revision()}"
        + (f"; failed: {', '.join(failed)}" if failed else ""),
        highlight=False,
    )
    if chosen.readme:
        write_table(lines, long=chosen.long, only=chosen.only)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
