"""What a candidate changed, topic by topic and answer by answer."""

import pytest

from archon_contracts.commands import RunSummary
from archon_contracts.formats import (
    EvaluationChanges,
    MoveEffect,
    PredictionRow,
    TopicDecision,
    TopicKind,
)
from archon_contracts.values import (
    REFERENCE_ITEMS,
    AgentKind,
    GatePolicy,
    TrainingMethod,
    UndecidedGroups,
)
from services.evaluator.comparison.changes import (
    MOST_EXAMPLES,
    MOST_MOVES,
    MOST_TOPICS,
    build_changes,
)
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import Role

POLICY = GatePolicy(maximum_forgetting=0.05)
SECRET = "my card is 4111 1111 1111 1111"


def answers(outputs: list[str], *, target: str = "yes", group: str = "") -> list[PredictionRow]:
    """Answers to items of one target and group; ids name group and target."""
    return [
        PredictionRow(
            id=f"{group}/{target}/{n}",
            group=group,
            target=target,
            output=output,
            score=1,
            correct=output == target,
            correct_at_k=True,
        )
        for n, output in enumerate(outputs)
    ]


def changes(
    candidate: list[PredictionRow],
    before: list[PredictionRow],
    *,
    control: Role = Role.DEPLOYED,
    policy: GatePolicy = POLICY,
    kind: AgentKind = AgentKind.CLASSIFIER,
    known: list[str] | None = None,
) -> EvaluationChanges:
    """What changed from `before` to `candidate`."""
    predictions = {Role.CANDIDATE: candidate, control: before}
    return build_changes(predictions, control, policy, kind, answers=known)


def decisions(found: EvaluationChanges) -> dict[str, TopicDecision]:
    """The decision of each row."""
    return {row.topic: row.decision for row in found.topics}


def test_each_group_shows_what_was_right_before_and_after() -> None:
    before = [*answers(["yes"] * 50, group="old"), *answers(["no"] * 50, group="new")]
    now = [*answers(["yes"] * 50, group="old"), *answers(["yes"] * 50, group="new")]

    found = changes(now, before)

    rows = {row.topic: row for row in found.topics}
    assert found.topics[0].kind is TopicKind.ALL
    assert (rows["new"].before.value, rows["new"].candidate.value) == (0, 1)
    assert rows["new"].difference.low > 0.9 - 0.1
    assert decisions(found) == {
        "all": TopicDecision.GAIN,
        "new": TopicDecision.GAIN,
        "old": TopicDecision.NO_CHANGE,
    }


@pytest.mark.parametrize(
    ("lost", "items", "undecided", "decision"),
    [
        (20, 100, UndecidedGroups.ACCEPT, TopicDecision.LOSS_BEYOND_LIMIT),
        (9, 300, UndecidedGroups.ACCEPT, TopicDecision.LOSS_WITHIN_LIMIT),
        (2, 30, UndecidedGroups.ACCEPT, TopicDecision.UNDECIDED),
        (2, 30, UndecidedGroups.REVIEW, TopicDecision.NEEDS_REVIEW),
        (2, 30, UndecidedGroups.REJECT, TopicDecision.LOSS_BEYOND_LIMIT),
    ],
)
def test_a_row_says_of_a_loss_what_the_gate_makes_of_it(
    lost: int, items: int, undecided: UndecidedGroups, decision: TopicDecision
) -> None:
    policy = POLICY.model_copy(update={"undecided_groups": undecided})
    gained = answers(["no"] * 60, group="new"), answers(["yes"] * 60, group="new")
    before = [*answers(["yes"] * items, group="old"), *gained[0]]
    now = [*answers(["no"] * lost + ["yes"] * (items - lost), group="old"), *gained[1]]

    found = changes(now, before, policy=policy)

    report = build_evaluation_report(
        {Role.CANDIDATE: now, Role.DEPLOYED: before}, Role.DEPLOYED, policy
    )
    assert decisions(found)["old"] is decision
    assert report.passed is (decision is not TopicDecision.LOSS_BEYOND_LIMIT)
    assert bool(report.review_reasons) is (decision is TopicDecision.NEEDS_REVIEW)


def test_a_loss_of_reference_items_is_left_to_a_person() -> None:
    before = [*answers(["no"] * 50), *answers(["yes"] * 50, group=REFERENCE_ITEMS)]
    now = [*answers(["yes"] * 50), *answers(["no"] * 50, group=REFERENCE_ITEMS)]

    found = changes(now, before)

    assert decisions(found)[REFERENCE_ITEMS] is TopicDecision.NEEDS_REVIEW
    assert found.topics[-1].kind is TopicKind.REFERENCE


def test_items_without_groups_are_shown_by_their_right_answer() -> None:
    before = [*answers(["no"] * 40, target="yes"), *answers(["no"] * 10, target="no")]
    now = [*answers(["yes"] * 40, target="yes"), *answers(["yes"] * 4 + ["no"] * 6, target="no")]

    found = changes(now, before)

    rows = {(row.kind, row.topic): row.decision for row in found.topics}
    assert rows[TopicKind.TARGET, "yes"] is TopicDecision.GAIN
    assert rows[TopicKind.TARGET, "no"] is TopicDecision.TOO_FEW_ITEMS


@pytest.mark.parametrize("items", [4, 8])
def test_a_class_that_is_lost_is_shown_as_the_gate_sees_it(items: int) -> None:
    before = [*answers(["no"] * 40, target="yes"), *answers(["no"] * items, target="no")]
    now = [*answers(["yes"] * 40, target="yes"), *answers(["yes"] * items, target="no")]

    found = changes(now, before, known=["yes", "no"])

    report = build_evaluation_report(
        {Role.CANDIDATE: now, Role.DEPLOYED: before},
        Role.DEPLOYED,
        POLICY,
        answers=["yes", "no"],
    )
    refused = any("no longer answered right" in reason for reason in report.reasons)
    expected = TopicDecision.LOSS_BEYOND_LIMIT if refused else TopicDecision.UNDECIDED
    assert decisions(found)["no"] is expected
    assert refused is (items == 8)


def test_items_that_ask_for_no_answer_of_the_agent_are_in_no_row() -> None:
    rows = [*answers(["yes"] * 4, target="yes"), *answers(["yes"] * 9, target="gone")]

    found = changes(rows, rows, known=["yes"])

    assert [row.topic for row in found.topics] == ["all", "yes"]
    assert found.topics[0].difference.n == 4


def test_nothing_is_limited_against_the_base_model() -> None:
    before = [*answers(["yes"] * 50, group="old"), *answers(["no"] * 90, group="new")]
    now = [*answers(["no"] * 50, group="old"), *answers(["yes"] * 90, group="new")]

    found = changes(now, before, control=Role.BASELINE)

    assert decisions(found)["old"] is TopicDecision.NOT_LIMITED
    assert found.control == "baseline"


def test_moved_answers_are_counted_by_right_answer_and_named_by_id_only() -> None:
    before = [*answers(["no"] * 7), *answers(["no", "maybe"], target="no")]
    now = [*answers(["yes"] * 7), *answers(["maybe", "yes"], target="no")]

    found = changes(now, before)

    moves = [(m.target, m.before, m.after, m.effect, m.items) for m in found.moved]
    assert moves == [
        ("no", "no", "maybe", MoveEffect.BROKEN, 1),
        ("yes", "no", "yes", MoveEffect.CORRECTED, 7),
        ("no", "maybe", "yes", MoveEffect.STILL_WRONG, 1),
    ]
    assert (found.corrected, found.broken) == (7, 1)
    assert found.moved[1].examples == tuple(f"/yes/{n}" for n in range(MOST_EXAMPLES))


def test_what_was_broken_is_named_among_very_many_corrections() -> None:
    names = [f"t{n:02}" for n in range(MOST_MOVES + 5)]
    before = [row for name in names for row in answers(["wrong"] * 2, target=name)]
    now = [row for name in names for row in answers([name] * 2, target=name)]

    found = changes(
        [*now, *answers(["x"], target="known")], [*before, *answers(["known"], target="known")]
    )

    assert found.moved[0].effect is MoveEffect.BROKEN
    assert len(found.moved) == MOST_MOVES
    assert found.moved_left_out == 2 * len(names) + 1 - sum(move.items for move in found.moved)


def test_a_generator_s_texts_are_not_in_the_changes() -> None:
    before, now = answers(["bad"], target=SECRET), answers([SECRET], target=SECRET)
    before += answers(["x"] * 3, group="g", target="x")
    now += answers(["x"] * 3, group="g", target="x")

    found = changes(now, before, kind=AgentKind.GENERATOR)

    assert SECRET not in found.model_dump_json(exclude={"moved": {"__all__": {"examples"}}})
    assert [(m.effect, m.items) for m in found.moved] == [(MoveEffect.CORRECTED, 1)]


def test_of_very_many_topics_those_that_changed_most_are_kept() -> None:
    names = [f"t{n:03}" for n in range(MOST_TOPICS + 20)]
    before = [row for name in names for row in answers(["a", "b"], target=name)]
    now = [row for name in names for row in answers(["a", "b"], target=name)]
    moved = [*answers(["t219", "t219"], target="t219")]
    now = [*(row for row in now if row.target != "t219"), *moved]

    found = changes(now, before)

    assert len(found.topics) == MOST_TOPICS + 1
    assert found.topics_left_out == 20
    assert "t219" in decisions(found)


def test_how_the_candidate_was_made_is_kept_with_it() -> None:
    run = RunSummary(method=TrainingMethod.CONTINUAL, steps=3, metrics={"train/loss": 0.2})
    rows = answers(["yes", "no"])

    found = build_changes(
        {Role.CANDIDATE: rows, Role.DEPLOYED: rows},
        Role.DEPLOYED,
        POLICY,
        AgentKind.CLASSIFIER,
        run=run,
    )

    assert found.run == run
    assert not found.moved
