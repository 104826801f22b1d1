"""A report that one record can hold, whatever a suite names its groups, ids and answers. Pure.

A suite may have a group for each of its items, with names of any length; an event larger than a
record would become a dead letter, and its job would wait for it until its deadline. The gate has
looked at all groups before; only what is shown is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

from archon_contracts.events import PairedComparison, UnscoredTarget
from archon_contracts.metric_names import ACCURACY, RECALL
from archon_contracts.values import ALL_ITEMS, REFERENCE_ITEMS, MetricResult
from services.evaluator.domain import EvaluationReport, Role

MAX_GROUPS: Final = 150
MAX_NAME: Final = 100
MAX_REASONS: Final = 40
MAX_REASON: Final = 2_000


def bound_report(report: EvaluationReport) -> EvaluationReport:
    """The report with its worst groups, its first reasons, and long names cut."""
    groups = {each.group for each in report.results if each.name != RECALL}
    shown = _select_groups(report, groups - {ALL_ITEMS, REFERENCE_ITEMS})
    left_out = len(groups - {ALL_ITEMS, REFERENCE_ITEMS}) - len(shown)
    kept = {ALL_ITEMS, REFERENCE_ITEMS, *shown}
    stated = (f"{left_out} groups that lost less are not shown",) if left_out else ()
    return report.model_copy(
        update={
            "reasons": _bound_reasons((*report.reasons, *stated)),
            "review_reasons": _bound_reasons(report.review_reasons),
            "results": tuple(_bound_result(each) for each in report.results if _is_in(each, kept)),
            "comparison": _bound_comparison(report.comparison, kept),
            "unscored_targets": tuple(map(_bound_target, report.unscored_targets)),
        }
    )


def shorten(name: str) -> str:
    """The name, or its beginning with a digest, so that two long ones stay apart."""
    if len(name) <= MAX_NAME:
        return name
    digest = blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{name[: MAX_NAME - 20]}... ({digest})"


def _select_groups(report: EvaluationReport, groups: set[str]) -> list[str]:
    """The groups that changed worst; without a comparison those that are answered worst."""
    accuracy = report.estimates_of(ACCURACY).get(Role.CANDIDATE, {})

    def change(group: str) -> float:
        if group in report.comparison:
            return report.comparison[group].difference.value
        return accuracy[group].value if group in accuracy else 0.0

    return sorted(groups, key=lambda group: (change(group), group))[:MAX_GROUPS]


def _is_in(result: MetricResult, kept: set[str]) -> bool:
    return result.name == RECALL or result.group in kept


def _bound_result(result: MetricResult) -> MetricResult:
    short = shorten(result.group)
    return result if short == result.group else result.model_copy(update={"group": short})


def _bound_comparison(
    comparison: Mapping[str, PairedComparison], kept: set[str]
) -> dict[str, PairedComparison]:
    return {shorten(name): pair for name, pair in comparison.items() if name in kept}


def _bound_target(found: UnscoredTarget) -> UnscoredTarget:
    short = {"target": shorten(found.target), "ids": tuple(map(shorten, found.ids))}
    return found.model_copy(update=short)


def _bound_reasons(reasons: Sequence[str]) -> tuple[str, ...]:
    shown = [
        each if len(each) <= MAX_REASON else f"{each[:MAX_REASON]}..."
        for each in reasons[:MAX_REASONS]
    ]
    # The last ones are of the report itself, such as what it was compared with.
    if len(reasons) > MAX_REASONS:
        more = len(reasons) - MAX_REASONS
        shown = [*shown[:-1], f"{more + 1} further reasons are not shown"]
    return tuple(shown)
