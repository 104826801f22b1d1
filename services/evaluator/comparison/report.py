"""From the predictions of each model to the report of an evaluation: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from archon_contracts.events import PairedComparison
from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import REFERENCE_ITEMS, GatePolicy
from services.evaluator.comparison.gate import HIDDEN_GROUPS, GateRule, build_rules, decide_gate
from services.evaluator.comparison.group_rule import NoGroupRegression
from services.evaluator.comparison.paired_tests import (
    QUALITY_METRICS,
    compare,
    compare_hidden_groups,
    measure,
)
from services.evaluator.comparison.policy_rules import AnswerDrift, NeverRegress
from services.evaluator.comparison.recent_versions import find_accumulated_losses
from services.evaluator.comparison.reference_rule import NoReferenceLoss
from services.evaluator.domain import EvaluationReport, Role

COMPARED_WITH_BASELINE: Final = (
    "nothing is deployed yet, so the candidate was compared with the base model"
)


def build_evaluation_report(
    predictions: Mapping[Role, Sequence[PredictionRow]],
    control: Role,
    policy: GatePolicy,
    *,
    rules: Sequence[GateRule] | None = None,
    minimum_reference_items: int = 0,
    recent: Sequence[Sequence[PredictionRow]] = (),
) -> EvaluationReport:
    """Metrics of each model, the paired comparison with the control, and the gate's decision.

    `recent` are predictions of versions that were deployed before the control.

    Without `rules` they are those of the policy for a window's candidate.

    Raises:
        Unscorable: no item has a right answer, or the models answered different items.
    """
    candidate, other = predictions[Role.CANDIDATE], predictions[control]
    comparisons = {
        name: compare(candidate, other, score_item) for name, score_item in QUALITY_METRICS.items()
    }
    deployed = control is Role.DEPLOYED
    # A loss of reference items is for a person to decide on: the gate's rules look at the others.
    guarded = {name: _without_reference(groups) for name, groups in comparisons.items()}
    guarded[HIDDEN_GROUPS] = compare_hidden_groups(candidate, other)
    chosen = [*(rules or build_rules(policy, deployed=deployed))]
    if deployed:
        chosen.append(NeverRegress.of(policy.never_regress, candidate, other))
        chosen.append(AnswerDrift.of(candidate, other, policy.maximum_answer_drift))
    decision = decide_gate(guarded, chosen)
    open_groups = [
        reason
        for rule in chosen
        if isinstance(rule, NoGroupRegression)
        for reason in rule.find_review_reasons(guarded)
    ]
    rule = NoReferenceLoss(policy.maximum_forgetting, minimum_reference_items)
    reference = comparisons[ACCURACY].get(REFERENCE_ITEMS)
    review = (
        *rule.find_review_reasons(reference),
        *open_groups,
        *find_accumulated_losses(candidate, recent, policy),
    )
    return EvaluationReport(
        passed=decision.passed,
        reasons=decision.reasons if deployed else (*decision.reasons, COMPARED_WITH_BASELINE),
        rejection_kinds=decision.rejection_kinds,
        review_reasons=review if decision.passed else (),
        results=tuple(
            result for role, rows in predictions.items() for result in measure(role, rows)
        ),
        changed_answers=_count_changed(candidate, other),
        answered_items=len(candidate),
        comparison=comparisons[ACCURACY] if deployed else {},
    )


def _without_reference(groups: Mapping[str, PairedComparison]) -> dict[str, PairedComparison]:
    return {name: pair for name, pair in groups.items() if name != REFERENCE_ITEMS}


def _count_changed(candidate: Sequence[PredictionRow], other: Sequence[PredictionRow]) -> int:
    """Items that the two answer differently; they answered the same ones."""
    before = {row.id: row.output for row in other}
    return sum(row.output != before[row.id] for row in candidate)
