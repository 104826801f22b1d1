"""Puts the results table into the README, between its markers."""

from collections.abc import Sequence
from pathlib import Path

from deploy.local.revision import code_revision
from tests.faults.runner import Line, cells

README = Path(__file__).with_name("README.md")
HEAD = (
    "| | load | sent | stored | effects | quarantined | lost | double | faults survived "
    "| bound 3/n | seconds |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def write_table(lines: Sequence[Line], *, long: bool, only: str = "", path: Path = README) -> None:
    """Replace the table of the short or the long set, with date, seed, revision and command."""
    name = "long" if long else "short"
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    before, _, rest = path.read_text().partition(begin)
    _, _, after = rest.partition(end)
    rows = "\n".join(f"| {' | '.join(cells(line))} |" for line in lines)
    path.write_text(
        f"{before}{begin}\n{_caption(lines, long, only)}\n\n{HEAD}\n{rows}\n{end}{after}"
    )


def _caption(lines: Sequence[Line], long: bool, only: str) -> str:
    first = lines[0]
    flags = f"--seed {first.seed}{' --long' if long else ''}{f' --only {only}' if only else ''}"
    passed = sum(line.outcome.passed for line in lines)
    return (
        f"{first.at:%Y-%m-%d %H:%M} UTC, revision {code_revision()}: {passed} of {len(lines)} "
        f"passed in {sum(line.seconds for line in lines):.0f} s with "
        f"`python -m tests.faults {flags}`."
    )
