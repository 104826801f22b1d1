"""A job on one screen: its stages as bars of time, and its loss as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from archon_contracts.metric_names import TRAIN_LOSS, TRAIN_LOSS_AFTER, TRAIN_LOSS_BEFORE
from deploy.cli.output import STATE_COLOURS, coloured
from deploy.cli.plots import Curve, draw_curves
from deploy.printable import printable

BAR: Final = 30
LOSSES: Final = (TRAIN_LOSS, TRAIN_LOSS_BEFORE, TRAIN_LOSS_AFTER)
"""The last two are one point each: a closed form has no others."""
CHART_WIDTH: Final = 56
CHART_HEIGHT: Final = 10


def build_stage_table(job: Mapping[str, Any]) -> Table:
    """Each stage with its seconds, as a bar of its part of the whole, and why it came."""
    seconds: Mapping[str, float] = job.get("stage_seconds") or {}
    whole = sum(seconds.values()) or 1.0
    made = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    made.add_column("stage", no_wrap=True)
    made.add_column("", no_wrap=True)
    made.add_column("time", justify="right", no_wrap=True)
    made.add_column("reason", overflow="fold")
    shown: set[str] = set()
    for step in job.get("history", []):
        state = step["state"]
        spent = 0.0 if state in shown else seconds.get(state, 0.0)
        shown.add(state)
        bar = "█" * round(spent / whole * BAR) or ("▏" if spent else "")
        made.add_row(
            coloured(state),
            Text(bar, style=STATE_COLOURS.get(state, "cyan")),
            format_seconds(spent) if spent else "",
            Text(printable(step.get("reason") or "")),
        )
    return made


def draw_losses(curves: Sequence[Mapping[str, Any]], *, colours: bool) -> str:
    """The newest attempt's losses as a chart; empty: it has none."""
    attempt = max((curve["attempt"] for curve in curves), default=0)
    drawn = [
        Curve(curve["name"], curve["steps"], curve["values"])
        for curve in curves
        if curve["attempt"] == attempt and len(curve["steps"]) > 1
    ]
    if not drawn:
        return ""
    return draw_curves(drawn, width=CHART_WIDTH, height=CHART_HEIGHT, colours=colours)


def describe_loss(curves: Sequence[Mapping[str, Any]]) -> str:
    """The loss before and after the newest attempt, in words; empty: it was not recorded."""
    attempt = max((curve["attempt"] for curve in curves), default=0)
    newest = {
        curve["name"]: curve["values"][-1]
        for curve in curves
        if curve["attempt"] == attempt and curve["values"]
    }
    ends = [newest.get(name) for name in (TRAIN_LOSS_BEFORE, TRAIN_LOSS_AFTER)]
    known = [f"{value:.3g}" for value in ends if value is not None]
    return f"loss {' -> '.join(known)}" if known else ""


def format_seconds(seconds: float) -> str:
    """A duration in its largest unit."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"
