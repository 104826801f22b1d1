"""What moved in the confusion matrix between two runs of one suite: pure."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import (
    AnswerMoves,
    CaseResult,
    MovedAnswer,
    MoveEffect,
    PredictionRow,
    SuiteReport,
)
from archon_contracts.values import AgentKind
from services.evaluator.comparison.changes import choose_moves, list_moves


def add_moves(report: SuiteReport, before: SuiteReport) -> SuiteReport:
    """The report with what moved since another run, by the cases that both answered.

    Of a case that is asked repeatedly the first answer counts. Answers that are texts are compared
    by their metrics alone: no two of them need be equal.
    """
    if not report.products.confusion or not before.products.confusion:
        return report
    then, now = _rows(before.results), _rows(report.results)
    common = now.keys() & then.keys()
    moves = list_moves(
        [row for id_, row in now.items() if id_ in common],
        [row for id_, row in then.items() if id_ in common],
        AgentKind.CLASSIFIER,
    )
    named = choose_moves(moves)
    found = AnswerMoves(
        since=before.agent,
        moved=named,
        left_out=sum(each.items for each in moves) - sum(each.items for each in named),
        corrected=_count(moves, MoveEffect.CORRECTED),
        broken=_count(moves, MoveEffect.BROKEN),
    )
    products = report.products.model_copy(update={"moves": found})
    return report.model_copy(update={"products": products})


def _count(moves: Sequence[MovedAnswer], effect: MoveEffect) -> int:
    return sum(each.items for each in moves if each.effect is effect)


def _rows(results: Sequence[CaseResult]) -> dict[str, PredictionRow]:
    return {
        each.id: PredictionRow(
            id=each.id,
            target=each.target,
            output=each.output,
            score=each.score or 0.0,
            correct=each.correct,
        )
        for each in results
        if each.repeat == 0 and each.target and not each.error
    }
