"""Confusion, calibration, abstention and clusters of errors, from the results of a suite: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from archon_contracts.formats import CaseResult, ConfusionCell, ErrorCluster, SuiteProducts
from services.evaluator.metrics.calibration import (
    build_abstention,
    build_reliability,
    estimate_calibration_error,
    select_confident,
)

MAXIMUM_CELLS: Final = 400
MAXIMUM_CLUSTERS: Final = 30
EXAMPLES: Final = 5


def build_products(results: Sequence[CaseResult], *, has_classes: bool) -> SuiteProducts:
    """What a report shows beside its metrics; texts have no confusion matrix."""
    confident = select_confident(results)
    cells = _count_cells(results) if has_classes else []
    return SuiteProducts(
        confusion=tuple(cells[:MAXIMUM_CELLS]),
        confusion_left_out=sum(cell.items for cell in cells[MAXIMUM_CELLS:]),
        reliability=build_reliability(confident) if confident else (),
        expected_calibration_error=estimate_calibration_error(confident) if confident else None,
        abstention=build_abstention(confident) if confident else (),
        errors=cluster_errors(results, has_classes=has_classes),
    )


def _count_cells(results: Sequence[CaseResult]) -> list[ConfusionCell]:
    counts = Counter(
        (each.target, each.output) for each in results if each.target and not each.error
    )
    # Wrong cells first: what is left out of a large matrix is what is right.
    ordered = sorted(counts.items(), key=lambda cell: (cell[0][0] == cell[0][1], -cell[1], cell[0]))
    return [
        ConfusionCell(target=target, output=output, items=items)
        for (target, output), items in ordered
    ]


def cluster_errors(results: Sequence[CaseResult], *, has_classes: bool) -> tuple[ErrorCluster, ...]:
    """What went wrong, the most frequent first.

    Of classes a cluster is one wrong answer for one right one; else it is one kind of failure.
    """
    found: dict[str, list[str]] = {}
    for each in results:
        for name in _name_failures(each, has_classes=has_classes):
            found.setdefault(name, []).append(each.id)
    ordered = sorted(found.items(), key=lambda cluster: (-len(cluster[1]), cluster[0]))
    return tuple(
        ErrorCluster(name=name, items=len(ids), examples=tuple(ids[:EXAMPLES]))
        for name, ids in ordered[:MAXIMUM_CLUSTERS]
    )


def _name_failures(result: CaseResult, *, has_classes: bool) -> list[str]:
    if result.error:
        return [f"no answer: {result.error}"]
    names = [f"fails {each.assertion}" for each in result.assertions if each.passed is False]
    if result.correct is False:
        wrong = f"{result.target} answered {result.output}" if has_classes else "not the target"
        names.append(wrong)
    if result.leaked:
        names.append(f"gives away: {', '.join(result.leaked)}")
    if result.followed_injection:
        names.append("follows an injected instruction")
    return names
