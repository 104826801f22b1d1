"""Geometry of heat maps and confusion matrices: pure. Lengths are the units of their SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ALL: Final = "all"
LEVELS: Final = 5
"""Shades of a heat map; the first is the lightest."""
MAX_ROWS: Final = 30
MAX_COLUMNS: Final = 10
MAX_CLASSES: Final = 16
LABEL: Final = 190.0
CELL_WIDTH, CELL_HEIGHT = 92.0, 34.0
HEAD: Final = 30.0
MARGIN: Final = 8.0
SQUARE: Final = 34.0
CONFUSION_HEAD: Final = 110.0
SLANTED: Final = 70.0
"""Beside the last column, whose name leans over it."""
MAX_LABEL: Final = 24
OTHER: Final = "(others)"


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One figure with its interval: the bar below it spans 0 to 100 % of the cell's width."""

    x: float
    y: float
    level: int
    text: str
    title: str
    low: float
    high: float
    value: float


@dataclass(frozen=True, slots=True)
class MatrixLabel:
    """A name beside a row or above a column; the whole of it is its title."""

    place: float
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Rows are topics, columns versions, newest last; `hidden` topics did not fit."""

    width: float
    height: float
    rows: tuple[MatrixLabel, ...]
    columns: tuple[MatrixLabel, ...]
    cells: tuple[HeatCell, ...]
    hidden: int


def draw_heat_map(versions: Sequence[tuple[str, Mapping[str, Any]]]) -> HeatMap | None:
    """Accuracy per topic and version; None: nothing was evaluated.

    `versions` are names with their estimates by topic, oldest first. All items stand first, then
    the topics that the newest version is worst at.
    """
    shown = [(name, scores) for name, scores in versions if scores][-MAX_COLUMNS:]
    if not shown:
        return None
    newest = shown[-1][1]
    topics = sorted(
        {topic for _, scores in shown for topic in scores},
        key=lambda topic: (topic != ALL, newest.get(topic, {}).get("value", 2.0), topic),
    )
    rows = topics[:MAX_ROWS]
    cells = [
        _draw_cell(row, column, topic, name, scores[topic])
        for row, topic in enumerate(rows)
        for column, (name, scores) in enumerate(shown)
        if scores.get(topic)
    ]
    return HeatMap(
        width=LABEL + CELL_WIDTH * len(shown),
        height=HEAD + CELL_HEIGHT * len(rows),
        rows=tuple(
            _label(HEAD + CELL_HEIGHT * (n + 0.5), "all items" if topic == ALL else topic)
            for n, topic in enumerate(rows)
        ),
        columns=tuple(
            _label(LABEL + CELL_WIDTH * (n + 0.5), name, 12) for n, (name, _) in enumerate(shown)
        ),
        cells=tuple(cells),
        hidden=len(topics) - len(rows),
    )


def _draw_cell(
    row: int, column: int, topic: str, version: str, estimate: Mapping[str, Any]
) -> HeatCell:
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    left = LABEL + CELL_WIDTH * column
    span = CELL_WIDTH - 2 * MARGIN

    def place(part: float) -> float:
        return round(left + MARGIN + span * min(max(part, 0.0), 1.0), 1)

    return HeatCell(
        x=left,
        y=HEAD + CELL_HEIGHT * row,
        level=shade(value),
        text=f"{100 * value:.1f}",
        title=f"{topic}, version {version}: {100 * value:.1f} % "
        f"({100 * low:.1f} to {100 * high:.1f} %, n = {estimate['n']})",
        low=place(low),
        high=place(high),
        value=place(value),
    )


def shade(value: float) -> int:
    """The shade of a proportion: equal steps from 0 to 1."""
    return min(int(min(max(value, 0.0), 1.0) * LEVELS), LEVELS - 1)


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """How many items with one right answer got one answer; `level` within the row."""

    x: float
    y: float
    level: int
    count: int
    right: bool
    title: str


@dataclass(frozen=True, slots=True)
class ConfusionDrawing:
    """Rows are right answers, columns what was answered; those least confused are in the last."""

    width: float
    height: float
    rows: tuple[MatrixLabel, ...]
    columns: tuple[MatrixLabel, ...]
    cells: tuple[MatrixCell, ...]
    items: int
    right: int


def draw_confusion(pairs: Iterable[tuple[str, str]]) -> ConfusionDrawing | None:
    """The matrix of (right answer, answer); None: no item had both.

    Of more than 16 answers those with the most mistakes are shown, and the others together.
    """
    counts = Counter(pairs)
    if not counts:
        return None
    mistakes: Counter[str] = Counter()
    for (target, answer), number in counts.items():
        mistakes[target] += number * (target != answer)
        mistakes[answer] += number * (target != answer)
    names = sorted(mistakes, key=lambda name: (-mistakes[name], name))
    shown = sorted(names[:MAX_CLASSES])
    place = {name: n for n, name in enumerate(shown)}
    labels = [*shown, OTHER] if len(names) > len(shown) else shown
    merged: Counter[tuple[int, int]] = Counter()
    for (target, answer), number in counts.items():
        merged[place.get(target, len(shown)), place.get(answer, len(shown))] += number
    totals: Counter[int] = Counter()
    for (row, _), number in merged.items():
        totals[row] += number
    size = len(labels)
    right = sum(number for (target, answer), number in counts.items() if target == answer)
    return ConfusionDrawing(
        width=LABEL + SQUARE * size + SLANTED,
        height=CONFUSION_HEAD + SQUARE * size,
        rows=tuple(
            _label(CONFUSION_HEAD + SQUARE * (n + 0.5), name) for n, name in enumerate(labels)
        ),
        columns=tuple(
            _label(LABEL + SQUARE * (n + 0.5), name, 14) for n, name in enumerate(labels)
        ),
        cells=tuple(
            MatrixCell(
                x=LABEL + SQUARE * column,
                y=CONFUSION_HEAD + SQUARE * row,
                level=shade(number / totals[row]),
                count=number,
                right=row == column,
                title=f"{labels[row]} answered as {labels[column]}: "
                f"{number} of {totals[row]} items",
            )
            for (row, column), number in sorted(merged.items())
        ),
        items=sum(counts.values()),
        right=right,
    )


def _label(place: float, name: str, most: int = MAX_LABEL) -> MatrixLabel:
    text = name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
    return MatrixLabel(round(place, 1), text, name)
