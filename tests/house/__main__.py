"""Prints the figures of layout, names and text: `python -m tests.house [--revision REV]`."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from tests.house.body_parses import count_body_parses
from tests.house.details import DETAILS
from tests.house.report import (
    REACH,
    Figures,
    measure,
    measure_revision,
    read_test_seconds,
)
from tests.house.source_tree import read_tree

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Print the figures; exit code 0 whatever they are, since tests hold the limits."""
    options = _parse(arguments)
    if options.list:
        print("\n".join(DETAILS[options.list](read_tree(ROOT))))
        return 0
    columns = {"working tree": measure(ROOT) | count_body_parses() | _test_seconds(options)}
    if options.revision:
        columns = {options.revision: measure_revision(options.revision, ROOT)} | columns
    print(json.dumps(columns, indent=2) if options.json else table(columns))
    return 0


def table(columns: dict[str, Figures]) -> str:
    """The figures as a Markdown table, one column per tree."""
    head = ["figure", *columns, "reach"]
    rows = [
        [name, *(_shown(figures.get(name)) for figures in columns.values()), reach or ""]
        for name, reach in REACH.items()
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:g}" if figure < 1e5 else f"{figure:.0f}"


def _test_seconds(options: argparse.Namespace) -> Figures:
    if options.junit:
        return {"test seconds": read_test_seconds(options.junit)}
    if options.run_tests:
        start = time.monotonic()
        subprocess.run(["make", "test"], cwd=ROOT, check=True, stdout=sys.stderr)
        return {"test seconds": round(time.monotonic() - start, 1)}
    return {} if options.test_seconds is None else {"test seconds": options.test_seconds}


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__)
    parser.add_argument("--revision", help="a revision of git to show beside the working tree")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--list", choices=sorted(DETAILS), help="print the places of one figure")
    seconds = parser.add_mutually_exclusive_group()
    seconds.add_argument("--test-seconds", type=float, help="wall-clock seconds of `make test`")
    seconds.add_argument("--junit", type=Path, help="a JUnit report to read the seconds from")
    seconds.add_argument("--run-tests", action="store_true", help="run `make test` and time it")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
