"""From the predictions of each model to the report of an evaluation: pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from archon_contracts.commands import RunSummary
from archon_contracts.events import PairedComparison, UnscoredTarget
from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import ALL_ITEMS, REFERENCE_ITEMS, GatePolicy, MetricResult
from services.evaluator.comparison.answerable import (
    MAX_TARGETS,
    describe_unanswerable,
    drop_unanswerable,
    find_unanswerable,
)
from services.evaluator.comparison.arms import BeatsClosedForm, BeatsNeighbours, build_arms
from services.evaluator.comparison.class_recall import (
    BeatsMajority,
    NoLostClass,
    measure_classes,
    measure_majority,
    select_worst_classes,
)
from services.evaluator.comparison.gate import (
    HIDDEN_GROUPS,
    TAUGHT,
    GateDecision,
    GateRule,
    build_rules,
    build_withdrawal_rules,
    combine,
    decide_gate,
)
from services.evaluator.comparison.group_rule import Comparisons, NoGroupRegression
from services.evaluator.comparison.paired_tests import (
    QUALITY_METRICS,
    compare,
    compare_hidden_groups,
    compare_taught,
    measure,
)
from services.evaluator.comparison.policy_rules import AnswerDrift, NeverRegress
from services.evaluator.comparison.recent_versions import find_accumulated_losses
from services.evaluator.comparison.reference_rule import NoReferenceLoss
from services.evaluator.comparison.report_bounds import bound_report
from services.evaluator.comparison.requirements import (
    MeetsRequirements,
    of_an_update,
    without_improvements,
)
from services.evaluator.domain import EvaluationReport, Role
from services.evaluator.scoring.skills import count_skills

LOOKED_UP: Final = frozenset({Role.NEAREST_NEIGHBOURS})
"""Shown over all items alone: an event's place is for the groups of what can be deployed."""
COMPARED_WITH_BASELINE: Final = (
    "nothing is deployed yet, so the candidate was compared with the base model"
)


def build_evaluation_report(
    predictions: Mapping[Role, Sequence[PredictionRow]],
    control: Role,
    policy: GatePolicy,
    *,
    rules: Sequence[GateRule] | None = None,
    withdrawal: bool = False,
    minimum_reference_items: int = 0,
    recent: Sequence[Sequence[PredictionRow]] = (),
    answers: Collection[str] | None = None,
    taught: Collection[str] = (),
    run: RunSummary | None = None,
) -> EvaluationReport:
    """Metrics of each model, the paired comparison with the control, and the gate's decision.

    `predictions` are of all who answered, such as the closed form that a fine-tuned candidate must
    beat; `recent` of versions deployed before the control. `answers` are all that the candidate can
    give, None where any text is one; `taught` are the answers of the window's new items; `run` says
    what the candidate cost. Without `rules` they are those of the policy for a window's candidate,
    or for a `withdrawal`.

    Raises:
        Unscorable: no item has a right answer, or the models answered different items.
    """
    unscored = find_unanswerable(predictions[Role.CANDIDATE], answers)
    predictions = {role: drop_unanswerable(rows, answers) for role, rows in predictions.items()}
    candidate, other = predictions[Role.CANDIDATE], predictions[control]
    comparisons = {
        name: compare(candidate, other, score_item) for name, score_item in QUALITY_METRICS.items()
    }
    deployed = control is Role.DEPLOYED
    guarded = _guard(comparisons, candidate, other, taught)
    usual = build_withdrawal_rules(policy) if withdrawal else build_rules(policy, deployed=deployed)
    asked = _limit_requirements(policy, withdrawal=withdrawal, update=bool(rules))
    added = _build_added_rules(candidate, other, asked, answers, deployed=deployed)
    chosen = [*(rules or usual), *added]
    free = _build_free_rules(predictions, policy, run, withdrawal=withdrawal)
    decision, losses = _decide(guarded, chosen, free, withdrawal=withdrawal)
    reference = NoReferenceLoss(policy.maximum_forgetting, minimum_reference_items)
    review = (
        *losses,
        *reference.find_review_reasons(comparisons[ACCURACY].get(REFERENCE_ITEMS)),
        *_find_open_groups(chosen, guarded),
        *find_accumulated_losses(candidate, recent, policy),
    )
    report = EvaluationReport(
        passed=decision.passed,
        reasons=(*decision.reasons, *_build_remarks(unscored, len(candidate), deployed)),
        rejection_kinds=decision.rejection_kinds,
        review_reasons=review if decision.passed else (),
        results=_measure(predictions, has_classes=answers is not None),
        changed_answers=_count_changed(candidate, other),
        answered_items=len(candidate),
        unscored_items=sum(each.items for each in unscored),
        unscored_targets=tuple(unscored[:MAX_TARGETS]),
        comparison=comparisons[ACCURACY] if deployed else {},
        arms=build_arms(predictions, run),
        skills=count_skills(predictions),
    )
    return bound_report(report)


def _decide(
    comparisons: Comparisons,
    rules: Sequence[GateRule],
    free: Sequence[GateRule],
    *,
    withdrawal: bool,
) -> tuple[GateDecision, tuple[str, ...]]:
    """The gate's decision, and the losses of a withdrawal that a person may accept."""
    decision = decide_gate(comparisons, rules)
    losses = _find_withdrawal_losses(decision) if withdrawal else ()
    decision = GateDecision(True, losses) if losses else decision
    # Not for a person to accept: the closed form takes the candidate's place.
    return combine(decision, decide_gate(comparisons, free)), losses


def _limit_requirements(policy: GatePolicy, *, withdrawal: bool, update: bool) -> GatePolicy:
    """The policy with the requirements that a candidate of this kind can be asked to meet."""
    if withdrawal:
        return without_improvements(policy)
    return of_an_update(policy) if update else policy


def _build_free_rules(
    predictions: Mapping[Role, Sequence[PredictionRow]],
    policy: GatePolicy,
    run: RunSummary | None,
    *,
    withdrawal: bool,
) -> list[GateRule]:
    """The rules against what costs nothing; none where that is not beside the candidate."""
    candidate, rules = predictions[Role.CANDIDATE], list[GateRule]()
    closed_form = predictions.get(Role.CLOSED_FORM)
    if closed_form is not None:
        rules.append(BeatsClosedForm.of(candidate, closed_form, policy, run))
    neighbours = predictions.get(Role.NEAREST_NEIGHBOURS)
    # A withdrawal is not refused for it: the deployed version still has what was withdrawn.
    if neighbours is not None and not withdrawal:
        fine_tuned = closed_form is not None
        rules.append(BeatsNeighbours.of(candidate, neighbours, policy, fine_tuned=fine_tuned))
    return rules


def _build_remarks(unscored: Sequence[UnscoredTarget], items: int, deployed: bool) -> list[str]:
    """What a reader must know beside the decision's reasons."""
    baseline = "" if deployed else COMPARED_WITH_BASELINE
    return [each for each in (describe_unanswerable(unscored, items), baseline) if each]


def _find_withdrawal_losses(decision: GateDecision) -> tuple[str, ...]:
    """Why a person decides on a withdrawal that the rules would refuse.

    Refused, the deployed version would go on with data that its owner withdrew; deployed by itself,
    it might be useless.
    """
    if decision.passed:
        return ()
    return tuple(f"without the retracted feedback {each}" for each in decision.reasons)


def _build_added_rules(
    candidate: Sequence[PredictionRow],
    control: Sequence[PredictionRow],
    policy: GatePolicy,
    answers: Collection[str] | None,
    *,
    deployed: bool,
) -> list[GateRule]:
    """What a policy adds for an agent that serves, and what a fixed set of answers does."""
    classes = _build_class_rules(candidate, control, policy, deployed=deployed)
    rules = [] if answers is None else classes
    if not deployed:
        return rules
    drift = AnswerDrift.of(candidate, control, policy.maximum_answer_drift, answers)
    required = MeetsRequirements.of(policy, candidate, control)
    return [NeverRegress.of(policy.never_regress, candidate, control), drift, required, *rules]


def _build_class_rules(
    candidate: Sequence[PredictionRow],
    control: Sequence[PredictionRow],
    policy: GatePolicy,
    *,
    deployed: bool,
) -> list[GateRule]:
    """What an agent with a fixed set of answers must show beside the policy's rules."""
    majority = BeatsMajority.of(candidate, policy.maximum_p_value, is_required=not deployed)
    # Nobody is served by the base model, so no class can be lost by it.
    before = control if deployed else ()
    return [majority, NoLostClass.of(candidate, before, policy)]


def _find_open_groups(
    rules: Sequence[GateRule], comparisons: Mapping[str, Mapping[str, PairedComparison]]
) -> list[str]:
    found: list[str] = []
    for rule in rules:
        if isinstance(rule, NoGroupRegression):
            found += rule.find_review_reasons(comparisons)
        if isinstance(rule, NoLostClass):
            found += rule.find_review_reasons()
    return found


def _measure(
    predictions: Mapping[Role, Sequence[PredictionRow]], *, has_classes: bool
) -> tuple[MetricResult, ...]:
    """Each model's metrics; of classes those that the candidate answers worst."""
    models = {role: rows for role, rows in predictions.items() if role not in LOOKED_UP}
    results = [result for role, rows in models.items() for result in measure(role, rows)]
    for role in LOOKED_UP & predictions.keys():
        whole = [each for each in measure(role, predictions[role]) if each.group == ALL_ITEMS]
        results += whole
    if has_classes:
        candidate = predictions[Role.CANDIDATE]
        shown = select_worst_classes(candidate)
        for role, rows in models.items():
            results += measure_classes(role, rows, shown)
        results += measure_majority(candidate)
    return tuple(results)


def _guard(
    comparisons: Comparisons,
    candidate: Sequence[PredictionRow],
    control: Sequence[PredictionRow],
    taught: Collection[str],
) -> dict[str, dict[str, PairedComparison]]:
    """What the gate's rules look at; a loss of reference items is for a person to decide on."""
    guarded = {
        metric: {group: pair for group, pair in pairs.items() if group != REFERENCE_ITEMS}
        for metric, pairs in comparisons.items()
    }
    guarded[HIDDEN_GROUPS] = compare_hidden_groups(candidate, control)
    guarded[TAUGHT] = compare_taught(candidate, control, taught)
    return guarded


def _count_changed(candidate: Sequence[PredictionRow], other: Sequence[PredictionRow]) -> int:
    """Items that the two answer differently; they answered the same ones."""
    before = {row.id: row.output for row in other}
    return sum(row.output != before[row.id] for row in candidate)
