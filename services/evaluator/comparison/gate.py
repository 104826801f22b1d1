"""From scores to the facts of an evaluation: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archon_contracts.events import PairedComparison
from archon_contracts.values import Estimate, GatePolicy
from services.evaluator.comparison.paired_tests import (
    ALL,
    NotPaired,
    accuracy,
    compare,
    judge,
    read_scored,
)
from services.evaluator.domain import Role, Scores
from services.evaluator.errors import Unscorable
from services.evaluator.scoring.scorers import NothingScored

AGAINST_BASE = "nothing is live yet, so the candidate was compared with the untrained base model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What an evaluation found; `comparison` is with the live version and empty without one."""

    passed: bool
    reasons: tuple[str, ...]
    accuracy: Mapping[str, Mapping[str, Estimate]]
    accuracy_at_5: Mapping[str, Mapping[str, Estimate]]
    comparison: Mapping[str, PairedComparison]
    latency_seconds: Mapping[str, float]


def findings_of(scores: Mapping[Role, Scores], reference: Role, gate: GatePolicy) -> Findings:
    """Accuracy of each model, the paired comparison with the reference, and the gate's decision.

    Raises:
        Unscorable: no item has a right answer, or the models answered different items.
    """
    try:
        items = {role: read_scored(score.predictions) for role, score in scores.items()}
        comparison = compare(items[Role.CANDIDATE], items[reference])
        first = {role.value: accuracy(scored) for role, scored in items.items()}
        best = {role.value: accuracy(scored, at_k=True) for role, scored in items.items()}
    except (NothingScored, NotPaired) as error:
        raise Unscorable(f"{error}.") from error
    is_live = reference is Role.LIVE
    # Nobody is served by the untrained base model, so no group can lose what it had.
    verdict = judge(comparison if is_live else {ALL: comparison[ALL]}, gate)
    return Findings(
        passed=verdict.passed,
        reasons=verdict.reasons if is_live else (*verdict.reasons, AGAINST_BASE),
        accuracy=first,
        accuracy_at_5=best,
        comparison=comparison if is_live else {},
        latency_seconds={role.value: score.latency_seconds for role, score in scores.items()},
    )
