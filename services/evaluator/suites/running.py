"""Run a suite on an agent: ask, score, measure, decide."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from archon_contracts.events import FeedbackCounts
from archon_contracts.formats import (
    AnswerExplanation,
    CaseResult,
    GradingReport,
    SuiteReport,
    ThresholdResult,
    Unmeasured,
)
from archon_contracts.values import MetricResult
from services.evaluator.errors import AgentUnusable, EmptySuite, SuiteInvalid
from services.evaluator.metrics.measuring import measure_all
from services.evaluator.metrics.metric import Evidence, Metric
from services.evaluator.suites.case_scoring import build_requests, score_answer
from services.evaluator.suites.failures import list_failures
from services.evaluator.suites.grading.grader import Grader
from services.evaluator.suites.ports import EvaluatedAgent, Progress
from services.evaluator.suites.products import build_products
from services.evaluator.suites.suite_model import Suite, Threshold

MODEL: Final = "agent"
"""Whose metrics a suite's report has."""
SHOWN_CASES: Final = 5


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """An agent's answers to a suite, scored."""

    suite: Suite
    agent: str
    digest: str
    results: Sequence[CaseResult]
    seconds: float
    has_classes: bool
    """Whether answers are from a fixed set, so that a confusion matrix says something."""
    grading: GradingReport | None = None
    explanations: Sequence[AnswerExplanation] = ()


def run_suite(
    suite: Suite,
    agent: EvaluatedAgent,
    metrics: Mapping[str, Metric],
    *,
    digest: str,
    has_classes: bool,
    feedback: FeedbackCounts | None = None,
    progress: Progress = lambda _done: None,
    grader: Grader | None = None,
) -> SuiteReport:
    """The report of an agent on a suite. `has_classes`: its answers are from a fixed set.

    Where the suite says how to grade and there is no `grader`, nothing is graded.

    Raises:
        SuiteInvalid: it names a metric that does not exist.
        EmptySuite: it has no case.
        AgentUnusable: not one case was answered.
    """
    chosen = select_metrics(suite, metrics)
    requests = build_requests(suite)
    if not requests:
        raise EmptySuite("cases: the suite holds no case; add one.")
    started = time.perf_counter()
    answers = agent.answer([each.input for each in requests], progress)
    seconds = time.perf_counter() - started
    if all(answer.error for answer in answers):
        raise AgentUnusable(f"{agent.name} answered none of {len(answers)}: {answers[0].error}.")
    results = [
        score_answer(request, answer, suite)
        for request, answer in zip(requests, answers, strict=True)
    ]
    grading = None
    if suite.grading is not None and grader is not None:
        results, grading = grader.grade(suite, suite.grading, results)
    explained = explain_answers(agent, results, suite.explanations) if has_classes else []
    run = SuiteRun(suite, agent.name, digest, results, seconds, has_classes, grading, explained)
    return build_report(run, chosen, feedback)


def explain_answers(
    agent: EvaluatedAgent, results: Sequence[CaseResult], most: int
) -> list[AnswerExplanation]:
    """What wrong answers rest on, then those of the least confidence; each case once."""
    first = [each for each in results if each.repeat == 0 and not each.error]
    ordered = sorted(first, key=lambda each: (each.correct is not False, each.score or 0.0))
    found = (agent.explain(each.id, each.input, each.output) for each in ordered[:most])
    return [each for each in found if each is not None]


def select_metrics(suite: Suite, metrics: Mapping[str, Metric]) -> list[Metric]:
    """The metrics that a suite names, and those that its thresholds need; all where it names none.

    Raises:
        SuiteInvalid: one does not exist.
    """
    named = [*suite.metrics, *(each.metric for each in suite.thresholds)]
    for name in named:
        if name not in metrics:
            raise SuiteInvalid(
                f"{suite.suite}: there is no metric {name!r}; known are {', '.join(metrics)}."
            )
    return [metrics[name] for name in (dict.fromkeys(named) if suite.metrics else metrics)]


def check_threshold(
    threshold: Threshold, results: Sequence[MetricResult], gaps: Sequence[Unmeasured]
) -> ThresholdResult:
    """Whether a metric reaches what the suite asks; what was not measured does not."""
    limit = ", ".join(
        f"{name} {value:g}"
        for name, value in (("at_least", threshold.at_least), ("at_most", threshold.at_most))
        if value is not None
    ) + (" for all of the interval" if threshold.of == "interval" else "")
    passed, detail = _compare(threshold, results, gaps)
    return ThresholdResult(
        metric=threshold.metric, group=threshold.group, limit=limit, passed=passed, detail=detail
    )


def _compare(
    threshold: Threshold, results: Sequence[MetricResult], gaps: Sequence[Unmeasured]
) -> tuple[bool, str]:
    key = (threshold.metric, threshold.group)
    place = threshold.metric + (f" of {threshold.group!r}" if threshold.group != "all" else "")
    for result in results:
        if (result.name, result.group) == key:
            found = result.estimate
            whole = threshold.of == "interval"
            low, high = (found.low, found.high) if whole else (found.value, found.value)
            passed = (threshold.at_least is None or low >= threshold.at_least) and (
                threshold.at_most is None or high <= threshold.at_most
            )
            return passed, (
                f"{place} is {found.value:.4g} "
                f"(95 % interval {found.low:.4g} to {found.high:.4g}, n = {found.n}"
                + (f", {result.unscored} unscored)" if result.unscored else ")")
            )
    reasons = [gap.reason for gap in gaps if (gap.metric, gap.group) == key]
    return False, f"{place} was not measured: {reasons[0] if reasons else 'it has no such group'}"


def build_report(
    run: SuiteRun, metrics: Sequence[Metric], feedback: FeedbackCounts | None = None
) -> SuiteReport:
    """Measure the answers of a run and decide whether it passed."""
    evidence = Evidence(run.results, run.seconds, feedback)
    measured, gaps = measure_all(metrics, evidence, model=MODEL)
    thresholds = [check_threshold(each, measured, gaps) for each in run.suite.thresholds]
    test_answers = run.suite.test_answers and not thresholds
    failures = [
        f"{each.id}: {failure}"
        for each in run.results
        for failure in list_failures(each, test_answers=test_answers)
    ]
    reasons = [f"{each.detail}, not {each.limit}" for each in thresholds if not each.passed]
    reasons += _describe_failures(run, failures)
    costs = [each.cost for each in run.results if each.cost is not None]
    return SuiteReport(
        suite=run.suite.suite,
        suite_digest=run.digest,
        agent=run.agent,
        passed=not reasons,
        reasons=tuple(reasons) or (_describe_success(run),),
        cases=len({each.id for each in run.results}),
        answers=len(run.results),
        errors=sum(bool(each.error) for each in run.results),
        failed_assertions=len(failures),
        test_answers=test_answers,
        thresholds=tuple(thresholds),
        metrics=measured,
        unmeasured=gaps,
        products=build_products(run.results, has_classes=run.has_classes).model_copy(
            update={"explanations": tuple(run.explanations)}
        ),
        grading=run.grading,
        cost=sum(costs) if len(costs) == len(run.results) else None,
        seconds=run.seconds,
        results=tuple(run.results),
    )


def _describe_failures(run: SuiteRun, failures: Sequence[str]) -> list[str]:
    shown = list(failures[:SHOWN_CASES])
    if len(failures) > SHOWN_CASES:
        shown.append(f"{len(failures) - SHOWN_CASES} more answers or assertions fail")
    unanswered = [each for each in run.results if each.error and not each.perturbation]
    if unanswered:
        shown.append(f"{len(unanswered)} cases were not answered: {unanswered[0].error}")
    return shown


def _describe_success(run: SuiteRun) -> str:
    checked = sum(len(each.assertions) for each in run.results)
    return (
        f"{len(run.suite.thresholds)} thresholds and {checked} assertions hold "
        f"on {len(run.results)} answers"
    )
