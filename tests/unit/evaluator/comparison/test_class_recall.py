"""What accuracy over all items hides: the most frequent answer, and lost classes."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.formats import PredictionRow
from archon_contracts.metric_names import ACCURACY, BALANCED_ACCURACY, RECALL
from archon_contracts.values import ALL_ITEMS, GatePolicy, UndecidedGroups
from services.evaluator.comparison.class_recall import MAJORITY, MAX_CLASSES
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import EvaluationReport, Role

IMBALANCED = ["often"] * 95 + ["rare"] * 5


def predict(
    targets: Sequence[str], outputs: Sequence[str], group: str = "one"
) -> list[PredictionRow]:
    return [
        PredictionRow(
            id=f"i{n}",
            group=group,
            target=target,
            output=output,
            score=0.9,
            correct=output == target,
            correct_at_k=output == target,
        )
        for n, (target, output) in enumerate(zip(targets, outputs, strict=True))
    ]


def report(
    targets: Sequence[str],
    candidate: Sequence[str],
    control: Sequence[str],
    role: Role = Role.DEPLOYED,
    policy: GatePolicy | None = None,
) -> EvaluationReport:
    return build_evaluation_report(
        {Role.CANDIDATE: predict(targets, candidate), role: predict(targets, control)},
        role,
        policy or GatePolicy(),
        answers={*targets, *candidate, *control},
    )


@pytest.mark.parametrize("base_answer", ["often", "rare"])
def test_a_constant_first_version_is_refused_whatever_the_base_model_answers(
    base_answer: str,
) -> None:
    found = report(IMBALANCED, ["often"] * 100, [base_answer] * 100, Role.BASELINE)

    assert not found.passed
    assert any("constant answer 'often'" in reason for reason in found.reasons)


def test_a_first_version_that_knows_the_rare_class_too_passes() -> None:
    found = report(IMBALANCED, IMBALANCED, ["rare"] * 100, Role.BASELINE)

    assert found.passed


def test_one_item_more_than_the_constant_answer_may_be_chance() -> None:
    one_more = ["often"] * 95 + ["rare"] + ["often"] * 4

    assert not report(IMBALANCED, one_more, ["rare"] * 100, Role.BASELINE).passed


def test_the_constant_answer_is_shown_beside_every_candidate() -> None:
    better = report(IMBALANCED, IMBALANCED, ["often"] * 60 + ["rare"] * 40)

    assert better.estimates_of(ACCURACY)[MAJORITY][ALL_ITEMS].value == pytest.approx(0.95)


def test_a_candidate_below_the_constant_answer_is_described_beside_a_deployed_version() -> None:
    poor, poorer = ["often"] * 70 + ["rare"] * 30, ["often"] * 20 + ["rare"] * 80

    found = report(IMBALANCED, poor, poorer)

    assert found.passed
    assert any("less of 100 items than the constant answer" in each for each in found.reasons)


def test_a_lost_class_is_found_though_accuracy_and_its_group_rise() -> None:
    targets = ["often"] * 195 + ["rare"] * 5
    before = ["rare"] * 20 + ["often"] * 175 + ["rare"] * 5

    found = report(targets, ["often"] * 200, before)

    assert not found.passed
    assert any("'rare'" in reason and "no longer" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("undecided", "passes", "reviewed"),
    [
        (UndecidedGroups.ACCEPT, True, False),
        (UndecidedGroups.REVIEW, True, True),
        (UndecidedGroups.REJECT, False, False),
    ],
)
def test_a_class_too_small_to_show_its_loss_is_left_to_the_policy(
    undecided: UndecidedGroups, passes: bool, reviewed: bool
) -> None:
    targets = ["often"] * 198 + ["rare"] * 2
    before = ["rare"] * 20 + ["often"] * 178 + ["rare"] * 2

    found = report(targets, ["often"] * 200, before, policy=GatePolicy(undecided_groups=undecided))

    assert (found.passed, bool(found.review_reasons)) == (passes, reviewed)
    assert any("'rare'" in each for each in (*found.reasons, *found.review_reasons))


def test_recall_of_the_worst_classes_and_balanced_accuracy_are_reported() -> None:
    found = report(IMBALANCED, ["often"] * 100, ["often"] * 100)

    recall = found.estimates_of(RECALL)["candidate"]
    assert {name: each.value for name, each in recall.items()} == {"often": 1.0, "rare": 0.0}
    balanced = found.estimates_of(BALANCED_ACCURACY)["candidate"][ALL_ITEMS]
    assert balanced.value == pytest.approx(0.5)
    assert balanced.low < 0.5 < balanced.high


def test_a_report_on_thousands_of_classes_stays_small() -> None:
    targets = [f"c{n}" for n in range(3_000)]

    found = report(targets, targets, targets)

    assert len(found.estimates_of(RECALL)["candidate"]) == MAX_CLASSES


def test_items_without_classes_are_evaluated_without_these_rules() -> None:
    rows = predict(["a long text"] * 40, ["a long text"] * 40)
    wrong = predict(["a long text"] * 40, ["another"] * 40)

    found = build_evaluation_report(
        {Role.CANDIDATE: rows, Role.BASELINE: wrong}, Role.BASELINE, GatePolicy()
    )

    assert found.passed
    assert not found.estimates_of(RECALL)


@given(
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from("abc"), min_size=8, max_size=60),
    st.sampled_from([Role.BASELINE, Role.DEPLOYED]),
)
def test_no_decision_depends_on_the_names_or_the_order_of_labels(
    random: Random, targets: list[str], role: Role
) -> None:
    # Mostly right, so that both decisions come.
    candidate = [random.choice([target, target, *"abc"]) for target in targets]
    control = [random.choice("abc") for _ in targets]
    renamed = str.maketrans("abc", "zyx")

    plain = report(targets, candidate, control, role)
    other = report(
        [each.translate(renamed) for each in targets],
        [each.translate(renamed) for each in candidate],
        [each.translate(renamed) for each in control],
        role,
    )

    assert plain.passed == other.passed


def test_a_loss_that_the_policy_allows_loses_no_class() -> None:
    targets = ["often"] * 195 + ["rare"] * 5
    before = ["rare"] * 20 + ["often"] * 175 + ["rare"] * 5

    anything = GatePolicy(maximum_forgetting=1.0)

    assert report(targets, ["often"] * 200, before, policy=anything).passed
    assert not report(targets, ["often"] * 200, before).passed


def test_a_class_that_was_hardly_known_is_not_lost() -> None:
    targets = ["often"] * 100 + ["rare"] * 200
    before = ["often"] * 80 + ["rare"] * 20 + ["rare"] * 5 + ["often"] * 195

    found = report(targets, ["often"] * 300, before)

    assert not any("no longer" in reason for reason in found.reasons)
