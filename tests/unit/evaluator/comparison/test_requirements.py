import random
from typing import Any

import pytest
from scipy import stats

from archon_contracts.events import RejectionKind
from archon_contracts.formats import PredictionRow
from archon_contracts.rules.gate_requirements import GateRequirement
from archon_contracts.values import FastPathPolicy, GatePolicy
from services.evaluator.comparison.gate import build_update_rules
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.comparison.requirements import MeetsRequirements
from services.evaluator.domain import EvaluationReport, Role


def rows(rights: list[bool], *, seconds: float = 0.1, score: float = 0.9) -> list[PredictionRow]:
    jitter = random.Random(len(rights))
    return [
        PredictionRow(
            id=str(n),
            group=f"g{n % 2}",
            target="a",
            output="a" if right else "b",
            score=score,
            correct=right,
            correct_at_k=True,
            latency_seconds=seconds * (1 + jitter.random() / 10),
        )
        for n, right in enumerate(rights)
    ]


def requirement(metric: str = "accuracy", kind: str = "may_not_fall", **more: Any) -> Any:
    return GateRequirement(metric=metric, kind=kind, **more)


def faults(
    candidate: list[PredictionRow], control: list[PredictionRow], *asked: GateRequirement
) -> list[str]:
    return MeetsRequirements.of(GatePolicy(requirements=asked), candidate, control).find_faults({})


HALF = [n % 2 == 0 for n in range(100)]
MORE = [n % 2 == 0 or n % 5 == 0 for n in range(100)]
FEWER = [n % 2 == 0 and n % 5 != 0 for n in range(100)]


def test_p_is_that_of_scipys_t_test() -> None:
    gains = [float(a) - float(b) for a, b in zip(MORE, HALF, strict=True)]
    expected = stats.ttest_1samp(gains, 0.02, alternative="greater").pvalue
    asked = requirement(kind="must_improve", margin=0.02)

    rule = MeetsRequirements.of(GatePolicy(requirements=(asked,)), rows(MORE), rows(HALF))

    assert rule.tested[0].p_value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answers", "kind", "margin", "met"),
    [
        (MORE, "must_improve", 0.0, True),
        (MORE, "must_improve", 0.2, False),
        (HALF, "must_improve", 0.0, False),
        (HALF, "may_not_fall", 0.0, True),  # nothing changed
        (FEWER, "may_not_fall", 0.02, False),
        (FEWER, "may_not_fall", 0.3, True),
    ],
)
def test_a_requirement_is_met_where_the_items_show_it(
    answers: list[bool], kind: str, margin: float, met: bool
) -> None:
    asked = requirement(kind=kind, margin=margin)

    assert (not faults(rows(answers), rows(HALF), asked)) is met


def test_a_smaller_latency_is_an_improvement() -> None:
    asked = requirement("latency_seconds", "must_improve", margin=0.01)

    assert faults(rows(HALF, seconds=0.05), rows(HALF), asked) == []
    slower = faults(rows(HALF, seconds=0.2), rows(HALF), asked)
    assert len(slower) == 1
    assert "latency_seconds gets worse by" in slower[0]


def test_overconfidence_is_a_loss() -> None:
    asked = requirement("confidence_loss")

    assert faults(rows(HALF, score=0.99), rows(HALF, score=0.7), asked)
    assert not faults(rows(HALF, score=0.7), rows(HALF, score=0.99), asked)


def test_few_items_show_nothing() -> None:
    found = faults(rows(MORE[:9]), rows(HALF[:9]), requirement())

    assert found == ["accuracy cannot be compared: 9 items have a value for both"]


def test_a_group_is_looked_at_by_itself() -> None:
    asked = requirement(kind="must_improve", group="g0")

    assert faults(rows(MORE), rows(HALF), asked)
    assert not faults(rows(MORE), rows(HALF), requirement(kind="must_improve", group="g1"))


def test_p_is_adjusted_over_all_requirements() -> None:
    asked = [requirement(kind="must_improve", group=g) for g in ("all", "g0", "g1")]

    tested = MeetsRequirements.of(
        GatePolicy(requirements=tuple(asked)), rows(MORE), rows(HALF)
    ).tested

    smallest = min(tested, key=lambda each: each.p_value)
    assert smallest.adjusted_p_value == pytest.approx(3 * smallest.p_value)


@pytest.mark.parametrize("withdrawal", [False, True])
def test_the_gate_refuses_what_a_requirement_does_and_names_it(withdrawal: bool) -> None:
    asked = (requirement("latency_seconds", "may_not_fall", margin=0.01),)
    predictions = {Role.CANDIDATE: rows(MORE, seconds=0.5), Role.DEPLOYED: rows(HALF)}

    report = build_evaluation_report(
        predictions, Role.DEPLOYED, GatePolicy(requirements=asked), withdrawal=withdrawal
    )

    if withdrawal:  # a person decides
        assert any("latency_seconds gets worse" in reason for reason in report.review_reasons)
        return
    assert report.rejection_kinds == (RejectionKind.REQUIREMENT,)
    assert report.reasons[0].startswith("latency_seconds gets worse by")


def test_a_withdrawal_need_not_improve() -> None:
    asked = (requirement(kind="must_improve"),)
    predictions = {Role.CANDIDATE: rows(HALF), Role.DEPLOYED: rows(HALF)}

    report = build_evaluation_report(
        predictions, Role.DEPLOYED, GatePolicy(requirements=asked), withdrawal=True
    )

    assert (report.passed, report.review_reasons) == (True, ())


def update_report(asked: Any, candidate: list[PredictionRow]) -> EvaluationReport:
    """The gate's report on an update that learnt its one correction."""
    policy = GatePolicy(requirements=asked)
    fast_path = FastPathPolicy(maximum_loss=0.5)
    rules = build_update_rules(policy, fast_path, right_before=0, right_after=1, items=1)
    predictions = {Role.CANDIDATE: candidate, Role.DEPLOYED: rows(HALF)}
    return build_evaluation_report(predictions, Role.DEPLOYED, policy, rules=rules)


def test_an_update_may_not_let_a_metric_fall_that_the_policy_guards() -> None:
    worse = [right and n % 20 != 0 for n, right in enumerate(HALF)]

    guarded = update_report((requirement(),), rows(worse))

    assert RejectionKind.REQUIREMENT in guarded.rejection_kinds
    assert any("accuracy gets worse" in reason for reason in guarded.reasons)
    assert RejectionKind.REQUIREMENT not in update_report((), rows(worse)).rejection_kinds


def test_an_update_need_not_improve_a_metric_nor_is_it_timed() -> None:
    asked = (requirement(kind="must_improve"), requirement("latency_seconds"))
    untimed = [row.model_copy(update={"latency_seconds": None}) for row in rows(HALF)]

    report = update_report(asked, untimed)

    assert (report.passed, report.rejection_kinds) == (True, ())
