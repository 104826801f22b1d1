"""From scores to the facts of an evaluation: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archon_contracts.events import PairedComparison
from archon_contracts.formats import PredictionRow, parse_jsonl
from archon_contracts.metric_names import ACCURACY, ACCURACY_AT_5
from archon_contracts.values import ALL_ITEMS, Estimate, GatePolicy, MetricResult
from services.evaluator.comparison.metrics import measure
from services.evaluator.comparison.paired_tests import (
    NotPaired,
    compare,
    decide_gate,
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
    results: tuple[MetricResult, ...]
    comparison: Mapping[str, PairedComparison]
    latency_seconds: Mapping[str, float]

    @property
    def accuracy(self) -> dict[str, dict[str, Estimate]]:
        """Model -> group -> accuracy."""
        return self._by_model_and_group(ACCURACY)

    @property
    def accuracy_at_5(self) -> dict[str, dict[str, Estimate]]:
        """Model -> group -> accuracy among the five best answers."""
        return self._by_model_and_group(ACCURACY_AT_5)

    def _by_model_and_group(self, name: str) -> dict[str, dict[str, Estimate]]:
        found: dict[str, dict[str, Estimate]] = {}
        for result in self.results:
            if result.name == name:
                found.setdefault(result.model, {})[result.group] = result.estimate
        return found


def build_evaluation_report(
    scores: Mapping[Role, RoleScores], control: Role, gate: GatePolicy
) -> EvaluationReport:
    """Accuracy of each model, the paired comparison with the control, and the gate's decision.

    Raises:
        Unscorable: no item has a right answer, or the models answered different items.
    """
    try:
        items = {role: read_rows(score.predictions) for role, score in scores.items()}
        comparison = compare(items[Role.CANDIDATE], items[control])
        results = [found for role, rows in items.items() for found in measure(role.value, rows)]
    except (NothingScored, NotPaired) as error:
        raise Unscorable(f"{error}.") from error
    is_live = control is Role.DEPLOYED
    # Nobody is served by the base model, so no group can lose what it had.
    decision = decide_gate(comparison if is_live else {ALL_ITEMS: comparison[ALL_ITEMS]}, gate)
    return EvaluationReport(
        passed=decision.passed,
        reasons=decision.reasons if is_live else (*decision.reasons, COMPARED_WITH_BASELINE),
        results=tuple(results),
        comparison=comparison if is_live else {},
        latency_seconds={role.value: score.latency_seconds for role, score in scores.items()},
    )


def read_rows(content: bytes) -> list[PredictionRow]:
    """The rows of a predictions file."""
    return list(parse_jsonl(content.splitlines(), PredictionRow, name="predictions"))
