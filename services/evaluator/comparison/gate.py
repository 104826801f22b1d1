"""From scores to the facts of an evaluation: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archon_contracts.events import PairedComparison
from archon_contracts.values import Estimate, GatePolicy
from services.evaluator.comparison.paired_tests import (
    ALL_ITEMS,
    NotPaired,
    accuracy,
    compare,
    decide_gate,
    read_predictions,
)
from services.evaluator.domain import Role, RoleScores
from services.evaluator.errors import Unscorable
from services.evaluator.scoring.scorers import NothingScored

COMPARED_WITH_BASELINE = "nothing is live yet, so the candidate was compared with the base model"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """What an evaluation found; `comparison` is with the live version and empty without one."""

    passed: bool
    reasons: tuple[str, ...]
    accuracy: Mapping[str, Mapping[str, Estimate]]
    accuracy_at_5: Mapping[str, Mapping[str, Estimate]]
    comparison: Mapping[str, PairedComparison]
    latency_seconds: Mapping[str, float]


def build_evaluation_report(
    scores: Mapping[Role, RoleScores], control: Role, gate: GatePolicy
) -> EvaluationReport:
    """Accuracy of each model, the paired comparison with the control, and the gate's decision.

    Raises:
        Unscorable: no item has a right answer, or the models answered different items.
    """
    try:
        items = {role: read_predictions(score.predictions) for role, score in scores.items()}
        comparison = compare(items[Role.CANDIDATE], items[control])
        first = {role.value: accuracy(scored) for role, scored in items.items()}
        best = {role.value: accuracy(scored, at_k=True) for role, scored in items.items()}
    except (NothingScored, NotPaired) as error:
        raise Unscorable(f"{error}.") from error
    is_live = control is Role.DEPLOYED
    # Nobody is served by the base model, so no group can lose what it had.
    decision = decide_gate(comparison if is_live else {ALL_ITEMS: comparison[ALL_ITEMS]}, gate)
    return EvaluationReport(
        passed=decision.passed,
        reasons=decision.reasons if is_live else (*decision.reasons, COMPARED_WITH_BASELINE),
        accuracy=first,
        accuracy_at_5=best,
        comparison=comparison if is_live else {},
        latency_seconds={role.value: score.latency_seconds for role, score in scores.items()},
    )
