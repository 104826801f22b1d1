"""What a candidate changed, topic by topic and answer by answer, for the report of its run: pure.

It decides nothing: the rows say what the rules of the gate made of the same figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from archon_contracts.commands import RunSummary
from archon_contracts.events import PairedComparison
from archon_contracts.formats import (
    EvaluationChanges,
    MovedAnswer,
    MoveEffect,
    PredictionRow,
    TopicChange,
    TopicDecision,
    TopicKind,
)
from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import (
    ALL_ITEMS,
    REFERENCE_ITEMS,
    AgentKind,
    Estimate,
    GatePolicy,
    UndecidedGroups,
)
from services.evaluator.comparison.answerable import drop_unanswerable
from services.evaluator.comparison.class_recall import NoLostClass
from services.evaluator.comparison.estimates import estimate_proportion
from services.evaluator.comparison.group_rule import LEVEL, GroupLoss, NoGroupRegression
from services.evaluator.comparison.loss_tests import adjust_holm, estimate_detectable_loss
from services.evaluator.comparison.paired_tests import (
    MIN_GROUP_SIZE,
    compare,
    compare_pairs,
    estimate_groups,
)
from services.evaluator.comparison.reference_rule import NoReferenceLoss
from services.evaluator.domain import Role

MOST_TOPICS: Final = 200
MOST_MOVES: Final = 40
MOST_BROKEN: Final = 20
MOST_EXAMPLES: Final = 5
"""A report is read by people, and written once for each update of the fast path."""


def build_changes(
    predictions: Mapping[Role, Sequence[PredictionRow]],
    control: Role,
    policy: GatePolicy,
    kind: AgentKind,
    *,
    run: RunSummary | None = None,
    minimum_reference_items: int = 0,
    answers: Collection[str] | None = None,
) -> EvaluationChanges:
    """The matrix of topics and the answers that moved.

    Topics are the groups of the items; of items without any, the right answers. `answers` are all
    that the candidate can give: items that ask for another are not scored, as at the gate.

    Raises:
        Unscorable: no item has a right answer, or the models answered different items.
    """
    candidate = drop_unanswerable(predictions[Role.CANDIDATE], answers)
    before = drop_unanswerable(predictions[control], answers)
    decide = _Decisions(policy, control, minimum_reference_items)
    rows = _rows(compare(candidate, before), candidate, before, decide)
    if len(rows) == 1 and kind is not AgentKind.GENERATOR:
        guarded = control is Role.DEPLOYED and answers is not None
        lost = NoLostClass.of(candidate, before if guarded else (), policy)
        rows += _target_rows(candidate, before, decide, lost)
    whole = [row for row in rows if row.kind is TopicKind.ALL]
    topics = sorted(
        (row for row in rows if row.kind is not TopicKind.ALL),
        key=lambda row: (-abs(row.difference.value), row.topic),
    )
    shown = sorted(topics[:MOST_TOPICS], key=lambda row: (row.difference.value, row.topic))
    moves = list_moves(candidate, before, kind)
    named = choose_moves(moves)
    return EvaluationChanges(
        kind=kind,
        control=control.value,
        topics=(*whole, *shown),
        topics_left_out=len(topics) - len(shown),
        moved=named,
        moved_left_out=sum(move.items for move in moves) - sum(move.items for move in named),
        corrected=sum(m.items for m in moves if m.effect is MoveEffect.CORRECTED),
        broken=sum(m.items for m in moves if m.effect is MoveEffect.BROKEN),
        run=run,
    )


class _Decisions:
    """What the gate's rules make of each topic's comparison."""

    def __init__(self, policy: GatePolicy, control: Role, minimum_reference_items: int) -> None:
        self._policy = policy
        self._limited = control is Role.DEPLOYED
        self._rule = NoGroupRegression(ACCURACY, policy.maximum_forgetting, policy.undecided_groups)
        self._reference = NoReferenceLoss(policy.maximum_forgetting, minimum_reference_items)
        self._undecided = {
            UndecidedGroups.ACCEPT: TopicDecision.UNDECIDED,
            UndecidedGroups.REVIEW: TopicDecision.NEEDS_REVIEW,
            UndecidedGroups.REJECT: TopicDecision.LOSS_BEYOND_LIMIT,
        }[policy.undecided_groups]

    def of_groups(self, pairs: Mapping[str, PairedComparison]) -> dict[str, TopicDecision]:
        groups = {name: pair for name, pair in pairs.items() if name != REFERENCE_ITEMS}
        losses = self._rule.classify_losses({ACCURACY: groups})
        tested = {name: pair.p_value for name, pair in groups.items() if name != ALL_ITEMS}
        # All items are one test of their own: the gate's first rule.
        adjusted = adjust_holm(tested) | {ALL_ITEMS: pairs[ALL_ITEMS].p_value}
        found = {}
        for name, pair in groups.items():
            gains = pair.difference.value > 0 and adjusted[name] <= self._policy.maximum_p_value
            loss = losses.get(name, GroupLoss.NONE)
            found[name] = TopicDecision.GAIN if gains else self._loss(pair, loss)
        if (reference := pairs.get(REFERENCE_ITEMS)) is not None:
            open_question = self._limited and self._reference.find_review_reasons(reference)
            found[REFERENCE_ITEMS] = (
                TopicDecision.NEEDS_REVIEW if open_question else TopicDecision.NO_CHANGE
            )
        return found

    def of_targets(
        self, pairs: Mapping[str, PairedComparison], lost: NoLostClass
    ) -> dict[str, TopicDecision]:
        """As `NoLostClass` and `NoHiddenRegression` see them: the latter where items suffice."""
        adjusted = adjust_holm({name: pair.p_value for name, pair in pairs.items()})
        found = {name: self._of_target(pair, adjusted[name]) for name, pair in pairs.items()}
        gone = dict.fromkeys(lost.unsure, self._undecided)
        gone |= dict.fromkeys(lost.lost, TopicDecision.LOSS_BEYOND_LIMIT)
        return found | {name: decision for name, decision in gone.items() if name in found}

    def _of_target(self, pair: PairedComparison, adjusted: float) -> TopicDecision:
        if pair.difference.value > 0 and adjusted <= self._policy.maximum_p_value:
            return TopicDecision.GAIN
        if pair.difference.value >= 0:
            return TopicDecision.NO_CHANGE
        if not self._limited:
            return TopicDecision.NOT_LIMITED
        if pair.difference.n < MIN_GROUP_SIZE:
            return TopicDecision.TOO_FEW_ITEMS
        if -pair.difference.high > self._policy.maximum_forgetting:
            return TopicDecision.LOSS_BEYOND_LIMIT
        beyond = -pair.difference.value > self._policy.maximum_forgetting
        return TopicDecision.UNDECIDED if beyond else TopicDecision.NO_CHANGE

    def _loss(self, pair: PairedComparison, loss: GroupLoss) -> TopicDecision:
        if not self._limited:
            lost = pair.difference.value < 0
            return TopicDecision.NOT_LIMITED if lost else TopicDecision.NO_CHANGE
        match loss:
            case GroupLoss.BEYOND_LIMIT:
                return TopicDecision.LOSS_BEYOND_LIMIT
            case GroupLoss.WITHIN_LIMIT:
                return TopicDecision.LOSS_WITHIN_LIMIT
            case GroupLoss.UNDECIDED:
                return self._undecided
            case GroupLoss.NONE:
                return TopicDecision.NO_CHANGE


def _rows(
    pairs: Mapping[str, PairedComparison],
    candidate: Sequence[PredictionRow],
    before: Sequence[PredictionRow],
    decide: _Decisions,
) -> list[TopicChange]:
    now, then = _accuracy(candidate), _accuracy(before)
    decisions, groups = decide.of_groups(pairs), max(1, len(pairs) - 1)
    kinds = {ALL_ITEMS: TopicKind.ALL, REFERENCE_ITEMS: TopicKind.REFERENCE}
    return [
        TopicChange(
            topic=name,
            kind=kinds.get(name, TopicKind.GROUP),
            before=then[name],
            candidate=now[name],
            difference=pair.difference,
            p_value=pair.p_value,
            decision=decisions[name],
            detectable_loss=estimate_detectable_loss(
                pair, LEVEL if name == ALL_ITEMS else LEVEL / groups
            ),
        )
        for name, pair in pairs.items()
    ]


def _target_rows(
    candidate: Sequence[PredictionRow],
    before: Sequence[PredictionRow],
    decide: _Decisions,
    lost: NoLostClass,
) -> list[TopicChange]:
    """The same by right answer."""
    earlier = {row.id: row.correct for row in before}
    scores: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for row in candidate:
        then = earlier[row.id]
        if row.target and row.correct is not None and then is not None:
            scores[row.target].append((row.correct, then))
    pairs = {target: compare_pairs(outcomes) for target, outcomes in sorted(scores.items())}
    decisions = decide.of_targets(pairs, lost)
    return [
        TopicChange(
            topic=target,
            kind=TopicKind.TARGET,
            before=estimate_proportion(sum(then for _, then in scores[target]), pair.difference.n),
            candidate=estimate_proportion(sum(now for now, _ in scores[target]), pair.difference.n),
            difference=pair.difference,
            p_value=pair.p_value,
            decision=decisions[target],
            detectable_loss=estimate_detectable_loss(pair, LEVEL / len(pairs)),
        )
        for target, pair in pairs.items()
    ]


def _accuracy(rows: Sequence[PredictionRow]) -> dict[str, Estimate]:
    return estimate_groups(rows, lambda row: row.correct)


def list_moves(
    candidate: Sequence[PredictionRow], before: Sequence[PredictionRow], kind: AgentKind
) -> list[MovedAnswer]:
    """The answers that moved, the most frequent moves first; both answered the same items."""
    earlier = {row.id: row for row in before}
    items: defaultdict[tuple[str, str, str, MoveEffect], list[str]] = defaultdict(list)
    for row in candidate:
        then = earlier[row.id]
        if row.output == then.output or row.correct is None:
            continue
        effect = _effect(bool(then.correct), bool(row.correct))
        if effect is None:
            continue
        # A generator answers in texts, and texts may be personal.
        named = (
            ("", "", "") if kind is AgentKind.GENERATOR else (row.target, then.output, row.output)
        )
        items[(*named, effect)].append(row.id)
    moves = [
        MovedAnswer(
            target=target,
            before=was,
            after=now,
            effect=effect,
            items=len(ids),
            examples=tuple(sorted(ids)[:MOST_EXAMPLES]),
        )
        for (target, was, now, effect), ids in items.items()
    ]
    return sorted(moves, key=lambda m: (-m.items, m.effect, m.target, m.before, m.after))


def choose_moves(moves: Sequence[MovedAnswer]) -> tuple[MovedAnswer, ...]:
    """The most frequent ones, the broken first: few as they are, a reader must see them."""
    broken = [move for move in moves if move.effect is MoveEffect.BROKEN][:MOST_BROKEN]
    others = [move for move in moves if move.effect is not MoveEffect.BROKEN]
    return (*broken, *others[: MOST_MOVES - len(broken)])


def _effect(right_before: bool, right_now: bool) -> MoveEffect | None:
    """None: both answers are right, as two wordings of a generator's can be."""
    if right_now:
        return None if right_before else MoveEffect.CORRECTED
    return MoveEffect.BROKEN if right_before else MoveEffect.STILL_WRONG
