"""The checks of a validation, from the reports of its suites: pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from archon_contracts.events import ModelCheck
from archon_contracts.formats import CaseResult, SuiteReport
from services.evaluator.suites.privacy import find_personal_data

SHOWN: Final = 5
LATENCY: Final = "latency_p95"


def check_golden(reports: Sequence[SuiteReport], ids: Collection[str]) -> ModelCheck:
    """Whether every golden item is answered right."""
    name = "golden items"
    if not ids:
        return ModelCheck(name=name, passed=None, detail="no golden items are named")
    scored: dict[str, CaseResult] = {
        each.id: each for report in reports for each in report.results if each.id in ids
    }
    missing = sorted(set(ids) - scored.keys())
    wrong = sorted(id_ for id_, result in scored.items() if result.correct is not True)
    if missing:
        listed = _list(missing)
        return ModelCheck(name=name, passed=False, detail=f"no suite has the items {listed}")
    if wrong:
        listed = _list(wrong)
        return ModelCheck(name=name, passed=False, detail=f"not answered right: {listed}")
    return ModelCheck(name=name, passed=True, detail=f"all {len(scored)} are answered right")


def check_metrics(reports: Sequence[SuiteReport]) -> ModelCheck:
    """Whether the thresholds and assertions of all suites hold."""
    name = "metrics"
    if not any(report.thresholds or _has_assertions(report) for report in reports):
        detail = "neither the request nor a suite names a threshold or an assertion"
        return ModelCheck(name=name, passed=None, detail=detail)
    faults = [
        f"{report.suite}: {reason}"
        for report in reports
        if not report.passed
        for reason in report.reasons
    ]
    if faults:
        return ModelCheck(name=name, passed=False, detail="; ".join(faults[:SHOWN]))
    held = "; ".join(f"{report.suite}: {report.reasons[0]}" for report in reports)
    return ModelCheck(name=name, passed=True, detail=held)


def _has_assertions(report: SuiteReport) -> bool:
    return any(each.assertions for each in report.results)


def check_safety(guardrails: SuiteReport | None, answers: Sequence[str] | None) -> ModelCheck:
    """Whether the guardrail suite holds; of a fixed set of answers, whether one is personal data.

    An agent that picks from a fixed set writes nothing of its own: it cannot follow an injection
    or give away what is not among its answers.
    """
    name = "safety"
    if guardrails is not None:
        passed, detail = guardrails.passed, "; ".join(guardrails.reasons[:SHOWN])
        return ModelCheck(name=name, passed=passed, detail=f"guardrail suite: {detail}")
    if answers is None:
        return ModelCheck(name=name, passed=None, detail="the guardrail suite was not run")
    leaking = [answer for answer in answers if find_personal_data(answer, "")]
    if leaking:
        # Named by number: the text itself is what must not be repeated.
        places = ", ".join(str(list(answers).index(each) + 1) for each in leaking[:SHOWN])
        detail = f"{len(leaking)} of its answers hold personal data (numbers {places})"
        return ModelCheck(name=name, passed=False, detail=detail)
    detail = f"it picks from {len(answers)} fixed answers, none of which holds personal data"
    return ModelCheck(name=name, passed=True, detail=detail)


def check_latency(reports: Sequence[SuiteReport], limit_seconds: float | None) -> ModelCheck:
    """Whether the 95th percentile of an answer's time is within the limit, in each suite."""
    name = "latency"
    found = [
        (report.suite, metric.estimate)
        for report in reports
        for metric in report.metrics
        if metric.name == LATENCY and metric.group == "all"
    ]
    if not found:
        return ModelCheck(name=name, passed=None, detail="no answer was timed")
    suite, slowest = max(found, key=lambda each: each[1].value)
    figure = f"95th percentile {slowest.value * 1000:.1f} ms in {suite} (n = {slowest.n})"
    if limit_seconds is None:
        detail = f"{figure}; no limit is named"
        return ModelCheck(name=name, passed=None, detail=detail)
    passed = slowest.value <= limit_seconds
    relation = "within" if passed else "above"
    detail = f"{figure}, {relation} the limit of {limit_seconds * 1000:.1f} ms"
    return ModelCheck(name=name, passed=passed, detail=detail)


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
