"""Puts the results table into the README, between its markers."""

from collections.abc import Sequence
from pathlib import Path

from deploy.local.revision import code_revision
from tests.faults.runner import Line, cells

README = Path(__file__).with_name("README.md")
HEAD = (
    "| | seed | load | sent | stored | effects | quarantined | lost | double | faults survived "
    "| bound 3/n | seconds |\n|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def write_table(
    lines: Sequence[Line], *, long: bool, command: str, seconds: float, path: Path = README
) -> None:
    """Replace the table of the short or the long set, with date, revision and command."""
    name = "long" if long else "short"
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    before, _, rest = path.read_text().partition(begin)
    _, _, after = rest.partition(end)
    rows = "\n".join(f"| {' | '.join(cells(line))} |" for line in lines)
    caption = _caption(lines, command, seconds)
    path.write_text(f"{before}{begin}\n{caption}\n\n{HEAD}\n{rows}\n{end}{after}")


def _caption(lines: Sequence[Line], command: str, seconds: float) -> str:
    first = min(line.at for line in lines)
    passed = sum(line.outcome.passed for line in lines)
    return (
        f"{first:%Y-%m-%d %H:%M} UTC, revision {code_revision()}: {passed} of {len(lines)} "
        f"passed in {seconds:.0f} s with `python -m tests.faults {command}`."
    )
