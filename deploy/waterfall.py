"""A trace as a waterfall: who called whom, when, and for how long. Pure: spans in, text out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.printable import printable

PALETTE = ("cyan", "green", "magenta", "yellow", "blue", "bright_red", "bright_cyan", "white")
TIMES_WIDTH, SHORTEST_SCALE = 18, 10
FOLD_FROM = 3
FULL, SLIVER, JOINED = "█", "▏", "╌"


@dataclass(frozen=True, slots=True)
class Span:
    """One span of a trace; times are seconds since the trace began."""

    id: str
    parent_id: str | None
    service: str
    name: str
    start: float
    seconds: float
    failed: bool = False

    @property
    def end(self) -> float:
        """When it ended."""
        return self.start + self.seconds


Children = Mapping[str | None, Sequence[Span]]
"""Spans by the id of their parent; those without one, and orphans, under None."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the waterfall; `count` alike spans are joined to one."""

    span: Span
    depth: int
    orphan: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Rows in the order of drawing, and the whole's length."""

    rows: Sequence[Row]
    seconds: float
    services: Sequence[str]
    orphans: int = 0
    spans: int = 0


def read_spans(raw: Iterable[Mapping[str, Any]]) -> list[Span]:
    """Spans as the gateway gives them, with times relative to the earliest one."""
    items = list(raw)
    starts = [datetime.fromisoformat(item["started_at"]) for item in items]
    ends = [datetime.fromisoformat(item["ended_at"]) for item in items]
    return [
        Span(
            id=item["span_id"],
            parent_id=item.get("parent_id") or None,
            service=item["service"],
            name=item["name"],
            start=(start - min(starts)).total_seconds(),
            seconds=max((end - start).total_seconds(), 0.0),
            failed=str(item.get("status", "")).lower() == "error",
        )
        for item, start, end in zip(items, starts, ends, strict=True)
    ]


def arrange(spans: Sequence[Span], *, fold: bool = True) -> Waterfall:
    """Order spans as a tree: parents before children, siblings by start.

    A span whose parent is not in the trace is an orphan: it is shown at the top, and flagged.
    """
    known = {span.id for span in spans}
    children: dict[str | None, list[Span]] = {}
    for span in sorted(spans, key=lambda span: (span.start, -span.seconds)):
        parent = span.parent_id if span.parent_id in known else None
        children.setdefault(parent, []).append(span)
    rows = list(_rows(children, None, 0, fold))
    services = list(dict.fromkeys(row.span.service for row in rows))
    orphans = sum(span.parent_id is not None and span.parent_id not in known for span in spans)
    length = max((span.end for span in spans), default=0.0)
    return Waterfall(rows, length, services, orphans, len(spans))


def draw(waterfall: Waterfall, *, width: int) -> RenderableType:
    """The waterfall for a terminal of `width` cells: services coloured, bars to scale."""
    colours = {s: PALETTE[i % len(PALETTE)] for i, s in enumerate(waterfall.services)}
    services = max((len(service) for service in waterfall.services), default=0)
    names = min(max((len(_label(row)) for row in waterfall.rows), default=0), width * 2 // 5)
    bars = max(width - services - names - TIMES_WIDTH, SHORTEST_SCALE)
    made = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    made.add_column("service", no_wrap=True, min_width=services)
    made.add_column("span", no_wrap=True, overflow="ellipsis", min_width=names, max_width=names)
    made.add_column("start", justify="right", no_wrap=True)
    made.add_column("took", justify="right", no_wrap=True)
    made.add_column(f"{waterfall.seconds:.1f} s", no_wrap=True)
    for row in waterfall.rows:
        colour = colours[row.span.service]
        made.add_row(
            Text(printable(row.span.service), style=colour),
            _label(row),
            f"{row.span.start:.2f}",
            duration(row.span.seconds),
            Text(_bar(row, waterfall.seconds, bars), style=colour),
        )
    return Group(made, _summary(waterfall))


def bar(span: Span, total: float, width: int) -> str:
    """A bar from the span's start to its end on a scale of `total` seconds over `width` cells."""
    if total <= 0:
        return SLIVER
    first = min(int(span.start / total * width), width - 1)
    cells = min(round(span.seconds / total * width), width - first)
    return " " * first + (FULL * cells or SLIVER)


def _bar(row: Row, total: float, width: int) -> str:
    whole = bar(row.span, total, width)
    return whole if row.count == 1 else whole.replace(FULL, JOINED)


def duration(seconds: float) -> str:
    """Milliseconds below a second, else seconds."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _rows(children: Children, parent: str | None, depth: int, fold: bool) -> Iterable[Row]:
    for alike in _group_similar(children.get(parent, []), children, fold):
        first = alike[0]
        orphan = parent is None and first.parent_id is not None
        yield Row(_merge_spans(alike), depth, orphan, len(alike))
        below = [span for each in alike for span in children.get(each.id, [])]
        yield from _rows({**children, first.id: below}, first.id, depth + 1, fold)


def _group_similar(
    siblings: Sequence[Span], children: Children, fold: bool
) -> Iterable[list[Span]]:
    """Siblings that say the same, joined where there are several; in the order of their starts."""
    groups: dict[object, list[Span]] = {}
    for span in siblings:
        groups.setdefault(_similarity_key(span, children) if fold else span.id, []).append(span)
    for group in groups.values():
        yield from [group] if len(group) >= FOLD_FROM else ([span] for span in group)


def _similarity_key(span: Span, children: Children) -> object:
    """Equal for spans of one service and name with the like below; a failure is unlike all."""
    below = frozenset(_similarity_key(child, children) for child in children.get(span.id, []))
    return (span.service, span.name, below, span.id if span.failed else "")


def _merge_spans(alike: Sequence[Span]) -> Span:
    first, end = alike[0], max(span.end for span in alike)
    return replace(first, seconds=end - first.start)


def _label(row: Row) -> Text:
    label = Text("  " * row.depth + printable(row.span.name))
    if row.count > 1:
        label.append(f" x {row.count}", style="dim")
    if row.orphan:
        label.append(" orphan", style="bold red")
    if row.span.failed:
        label.append(" failed", style="red")
    return label


def _summary(waterfall: Waterfall) -> Text:
    summary = (
        f"{waterfall.spans} spans of {len(waterfall.services)} services "
        f"in {waterfall.seconds:.1f} s, {waterfall.orphans} orphans"
    )
    return Text(summary, style="red" if waterfall.orphans else "dim")
