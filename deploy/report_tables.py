"""A run's report as tables of a terminal: the same figures as the page, without its drawings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from archon_contracts.formats import MoveEffect, RunReport, TopicDecision, TopicKind
from archon_contracts.values import Estimate
from deploy.printable import printable

MOST_MOVES: Final = 10
_STYLES: Final = {
    TopicDecision.GAIN: "green",
    TopicDecision.LOSS_BEYOND_LIMIT: "red",
    TopicDecision.LOSS_WITHIN_LIMIT: "yellow",
    TopicDecision.UNDECIDED: "yellow",
    TopicDecision.NEEDS_REVIEW: "yellow",
    MoveEffect.CORRECTED: "green",
    MoveEffect.BROKEN: "red",
}


def build_report_tables(report: RunReport) -> list[RenderableType]:
    """Why the gate decided, topic by topic, moved answers, candidates, and what was learnt."""
    made: list[RenderableType] = [_decision(report)]
    if report.changes:
        made.append(build_topic_table(report))
        made.append(_moves(report))
    if report.candidates:
        made.append(_candidates(report))
    if report.learning:
        conclusion = "it learnt" if report.learning.learnt else "it learnt nothing"
        made.append(_line(f"{conclusion}: {'; '.join(report.learning.reasons)}"))
    if report.quality and report.quality.quarantined_by_reason:
        kept_out = report.quality.quarantined_by_reason.items()
        made.append(_line(f"quarantined: {', '.join(f'{n} {name}' for name, n in kept_out)}"))
    return made


def build_topic_table(report: RunReport) -> Table:
    """The matrix: each topic before and after, with the gate's decision."""
    changes = report.changes
    before = "base model" if changes and changes.control == "baseline" else "before"
    columns = ("topic", "items", before, "candidate", "difference (95 %)", "decision")
    rows = (
        (
            "all items" if row.kind is TopicKind.ALL else row.topic,
            str(row.difference.n),
            _percent(row.before),
            _percent(row.candidate),
            _difference(row.difference),
            _worded(row.decision),
        )
        for row in (changes.topics if changes else ())
    )
    return _table("topic by topic, accuracy in %", columns, rows, right=range(1, 5))


def _decision(report: RunReport) -> Text:
    if report.passed is None:
        return _line(f"not evaluated: {report.outcome or report.state}")
    reasons = "; ".join((*report.reasons, *report.review_reasons))
    return _line(f"{'passed' if report.passed else 'refused'}: {reasons}")


def _moves(report: RunReport) -> Table:
    moved = report.changes.moved if report.changes else ()
    rows = (
        (
            move.target or "(text)",
            move.before or "-",
            move.after or "-",
            str(move.items),
            _worded(move.effect),
            ", ".join(move.examples),
        )
        for move in moved[:MOST_MOVES]
    )
    columns = ("right answer", "from", "to", "items", "effect", "examples")
    return _table("answers that moved", columns, rows, right=(3,))


def _candidates(report: RunReport) -> Table:
    rows = (
        (
            each.name,
            Text("yes", style="green") if each.chosen else "no",
            "-" if each.score is None else f"{100 * each.score:.1f}",
            each.measured_on or "-",
            "-" if each.seconds is None else f"{each.seconds:.2f} s",
            "-" if each.answer_seconds is None else f"{1000 * each.answer_seconds:.1f} ms",
            each.reason,
        )
        for each in report.candidates
    )
    columns = ("candidate", "taken", "accuracy", "of the", "training", "answer", "why")
    return _table("candidates", columns, rows, right=(2, 4, 5))


def _table(
    title: str,
    columns: Iterable[str],
    rows: Iterable[Iterable[str | Text]],
    *,
    right: Iterable[int] = (),
) -> Table:
    numbers = set(right)
    made = Table(title=title, title_justify="left", header_style="bold")
    for place, column in enumerate(columns):
        made.add_column(column, overflow="fold", justify="right" if place in numbers else "left")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else _line(cell) for cell in row))
    if not made.row_count:
        made.caption = "none"
    return made


def _worded(value: TopicDecision | MoveEffect) -> Text:
    return Text(value.value.replace("_", " "), style=_STYLES.get(value, ""))


def _line(text: str) -> Text:
    """What others wrote is text: no markup, no control characters."""
    return Text(printable(text))


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f}"


def _difference(estimate: Estimate) -> str:
    return f"{100 * estimate.value:+.1f} ({100 * estimate.low:+.1f} to {100 * estimate.high:+.1f})"
