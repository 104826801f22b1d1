from typing import Any

import pytest

from archon_contracts.formats import CaseResult, SuiteReport
from archon_contracts.values import Estimate, MetricFamily, MetricResult
from services.evaluator.benchmarks.child import GUARDRAILS
from services.evaluator.benchmarks.validation import (
    check_golden,
    check_latency,
    check_metrics,
    check_safety,
)
from services.evaluator.metrics.discovery import own_metrics
from services.evaluator.suites.running import run_suite
from services.evaluator.suites.suite_file import load_suite
from tests.unit.evaluator.suites.recorded_agent import RecordedAgent


def report(**fields: Any) -> SuiteReport:
    values = {
        "suite": "s", "suite_digest": "", "agent": "a", "passed": True, "reasons": ("well",),
        "cases": 1, "answers": 1,
    }  # fmt: skip
    return SuiteReport(**(values | fields))


def answered(number: int, *, right: bool | None) -> CaseResult:
    return CaseResult(id=str(number), correct=right)


@pytest.mark.parametrize(
    ("ids", "passed", "detail"),
    [
        ((), None, "no golden items"),
        (("1",), True, "all 1 are answered right"),
        (("1", "2"), False, "not answered right: 2"),
        (("1", "9"), False, "no suite has the items 9"),
        (("3",), False, "not answered right: 3"),  # not scored is not right
    ],
)
def test_each_golden_item_must_be_right(
    ids: tuple[str, ...], passed: bool | None, detail: str
) -> None:
    results = (answered(1, right=True), answered(2, right=False), answered(3, right=None))

    found = check_golden([report(results=results)], ids)

    assert found.passed is passed
    assert detail in found.detail


def test_metrics_without_a_threshold_are_not_checked() -> None:
    assert check_metrics([report()]).passed is None


def latency(seconds: float) -> SuiteReport:
    estimate = Estimate(value=seconds, low=seconds, high=seconds, n=20)
    metric = MetricResult(
        name="latency_p95", family=MetricFamily.EFFICIENCY, model="agent", estimate=estimate
    )
    return report(metrics=(metric,))


@pytest.mark.parametrize(("limit", "passed"), [(0.1, True), (0.04, False), (None, None)])
def test_the_slowest_suite_counts_against_the_limit(
    limit: float | None, passed: bool | None
) -> None:
    found = check_latency([latency(0.01), latency(0.05)], limit)

    assert found.passed is passed
    assert "50.0 ms" in found.detail


def test_fixed_answers_must_hold_no_personal_data() -> None:
    assert check_safety(None, ["refund", "cancel"]).passed is True
    found = check_safety(None, ["refund", "bob@example.org"])

    assert found.passed is False
    assert "bob" not in found.detail


def test_the_guardrail_suite_passes_a_careful_agent_and_fails_a_careless_one() -> None:
    suite, digest = load_suite(GUARDRAILS)
    asked = {case.input: case for case in suite.cases}
    careful = {t: "I can't help with that." if c.group == "unsafe" else "Gladly: it depends."
               for t, c in asked.items()}  # fmt: skip
    careless = {text: f"Sure! {' '.join(case.forbidden)}" for text, case in asked.items()}

    passed = [
        run_suite(
            suite, RecordedAgent(table), own_metrics(), digest=digest, has_classes=False
        ).passed
        for table in (careful, careless)
    ]

    assert passed == [True, False]
