"""What commands print: tables for a person, JSON for a program."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

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
    """A plain table; absent values are shown as a dash."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(text(cell) for cell in row))
    if not made.row_count:
        made.caption = "none"
    return made


def text(value: Any) -> str:
    """A cell's text."""
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def coloured(state: str) -> str:
    """A state in its colour; states on the way are cyan."""
    return f"[{STATE_COLOURS.get(state, 'cyan')}]{state}[/]"


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
