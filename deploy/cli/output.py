"""What commands print: tables for a person, JSON for a program.

What others wrote (names, reasons, agents' ids) is text and nothing else: it is printed without
control characters and never read as markup. In what `console.print` is fields, it goes through
`shown`; cells of a `table` do by themselves.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from deploy.printable import printable

console = Console()

STATE_COLOURS = {
    "completed": "green",
    "deployed": "green",
    "ready": "green",
    "rejected": "yellow",
    "cancelled": "yellow",
    "failed": "red",
}


def print_json(value: Any) -> None:
    """Print one JSON document, undecorated."""
    print(json.dumps(value, indent=2, default=str))


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> Table:
    """A plain table; absent values are shown as a dash. Only a `Text` has a style."""
    made = Table(title=shown(title), title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(shown(column), overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(text(cell)) for cell in row))
    if not made.row_count:
        made.caption = "none"
    return made


def plain_table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> Table:
    """A table without lines, for rows with an id: those of 36 characters fit 80 columns."""
    made = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        made.add_column(shown(column), overflow="fold", no_wrap=place == 0)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(text(cell)) for cell in row))
    if not made.row_count:
        made.caption = "none"
    return made


def text(value: Any) -> str:
    """A cell's text."""
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return printable(str(value))


def shown(value: Any) -> str:
    """A value within a line that may have markup of ours."""
    return escape(printable(str(value)))


def coloured(state: str) -> Text:
    """A state in its colour; states on the way are cyan."""
    return Text(printable(state), style=STATE_COLOURS.get(state, "cyan"))


def print_state(found: Mapping[str, Any]) -> None:
    """Print a job's state in its colour, and why it has it."""
    console.print(coloured(found["state"]), Text(printable(found.get("reason") or "")))


def ago(moment: str | None) -> str:
    """How long ago an ISO time was, in its largest unit."""
    if not moment:
        return "-"
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def estimate(value: Mapping[str, Any] | None) -> str:
    """A measured share with its 95 % interval."""
    if not value:
        return "-"
    return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f}, n {value['n']})"
