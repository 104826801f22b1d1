"""Geometry of a version's origin, from its feedback through every version before it: pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.gateway.dashboard.formats import link, short
from services.gateway.views.models import Ancestor, LineageView

BOX_WIDTH: Final = 200.0
BOX_HEIGHT: Final = 50.0
COLUMN: Final = 250.0
ROW: Final = 84.0
EDGE: Final = 10.0
MAX_GENERATIONS: Final = 25
MAX_TEXT: Final = 24
"""Characters of a box's line: longer ones are cut, and their title has the whole."""


@dataclass(frozen=True, slots=True)
class AncestorBox:
    """Something that a version was made of, and the page that shows it; "" where there is none."""

    x: float
    y: float
    kind: str
    text: str
    detail: str
    whole: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class AncestorArrow:
    """From what something was made, to it."""

    path: str
    from_parent: bool = False


@dataclass(frozen=True, slots=True)
class AncestryDrawing:
    """A row per version, the newest first; `hidden` older ones did not fit."""

    boxes: tuple[AncestorBox, ...]
    arrows: tuple[AncestorArrow, ...]
    width: float
    height: float
    hidden: int


def draw_ancestry(found: LineageView) -> AncestryDrawing:
    """Feedback, dataset, training and version in columns; each version leads to the next one."""
    boxes: list[AncestorBox] = []
    arrows: list[AncestorArrow] = []
    shown = found.ancestors[:MAX_GENERATIONS]
    row: list[AncestorBox] = []
    for number, ancestor in enumerate(shown):
        y = EDGE + ROW * number
        before, row = row, _row(found, ancestor, y, is_first=number == 0)
        boxes += row
        arrows += [_between(left, right) for left, right in itertools.pairwise(row)]
        if number:
            arrows.append(_to_next(row[-1], _goes_on(before)))
    return AncestryDrawing(
        boxes=tuple(boxes),
        arrows=tuple(arrows),
        width=2 * EDGE + 3 * COLUMN + BOX_WIDTH,
        height=2 * EDGE + ROW * (len(shown) - 1) + BOX_HEIGHT,
        hidden=len(found.ancestors) - len(shown),
    )


def _row(found: LineageView, each: Ancestor, y: float, *, is_first: bool) -> list[AncestorBox]:
    row: list[AncestorBox] = []
    if is_first and (described := _describe_feedback(found)) is not None:
        row.append(_box(0, y, "Feedback", *described))
    if each.dataset_id is not None:
        place = link("data", "prepared", each.dataset_id)
        row.append(_box(1, y, "Dataset", str(each.dataset_id), "", place))
    if each.job_id is not None:
        seed = "" if each.seed is None else f"seed {each.seed}"
        row.append(_box(2, y, "Training", str(each.job_id), seed, link("jobs", each.job_id)))
    place = link("agents", found.agent_id, "versions", each.version, "lineage")
    row.append(_box(3, y, "Version", each.version, each.status, "" if is_first else place))
    return row


def _describe_feedback(found: LineageView) -> tuple[str, str] | None:
    """How many events it learnt, and how they were chosen; None: it was made of none."""
    events = found.feedback_total or found.lineage.feedback_count
    if not events:
        return None
    return f"{events:,} events", f"trigger {found.lineage.trigger or 'unknown'}"


def _box(column: int, y: float, kind: str, text: str, detail: str, place: str = "") -> AncestorBox:
    shown = short(text) if kind in ("Dataset", "Training") else _cut(text)
    return AncestorBox(EDGE + COLUMN * column, y, kind, shown, _cut(detail), text, place)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}\N{HORIZONTAL ELLIPSIS}"


def _between(left: AncestorBox, right: AncestorBox) -> AncestorArrow:
    y = left.y + BOX_HEIGHT / 2
    return AncestorArrow(f"M{left.x + BOX_WIDTH:g} {y:g}H{right.x - 2:g}")


def _goes_on(row: Sequence[AncestorBox]) -> AncestorBox:
    """The training that went on from the version below, or the version itself where it has none."""
    return next((box for box in row if box.kind == "Training"), row[-1])


def _to_next(version: AncestorBox, next_box: AncestorBox) -> AncestorArrow:
    """From a version up to what was made of it."""
    start, end = version.x + BOX_WIDTH / 2, next_box.x + BOX_WIDTH / 2
    y = version.y
    middle = y - (ROW - BOX_HEIGHT) / 2
    return AncestorArrow(
        f"M{start:g} {y:g}V{middle:g}H{end:g}V{next_box.y + BOX_HEIGHT + 2:g}", from_parent=True
    )


def summarize(generations: Sequence[Ancestor]) -> str:
    """The chain in words, for who does not see the drawing."""
    return " from ".join(each.version for each in generations[:MAX_GENERATIONS])
