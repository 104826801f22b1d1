"""The report says what is not as it should be."""

from typing import Any

import pytest

from deploy.demo.audit import FeedbackAudit
from deploy.demo.report import DeployedVersion, Report, TraceSummary, find_failed_checks

GAIN = {"difference": {"value": 0.1, "low": 0.05, "high": 0.15, "n": 200}}
EVEN = {"difference": {"value": -0.01, "low": -0.04, "high": 0.02, "n": 300}}
LOSS = {"difference": {"value": -0.1, "low": -0.15, "high": -0.05, "n": 300}}
SERVICES = ["agent", "coordinator", "data_prep", "evaluator", "registry", "trainer"]


def report(**changed: Any) -> Report:
    facts: dict[str, Any] = {
        "seed": 0,
        "revision": "abc",
        "feedback": FeedbackAudit(sent=9, stored=9, used=9, lost=0, double=0),
        "versions": [
            DeployedVersion(version=f"1.{n}.0", digest=f"d{n}", deployed_at="", reason="")
            for n in (0, 1)
        ],
        "accuracy": {},
        "difference": {"old": EVEN, "new": GAIN},
        "served_by_digest": {"d0": 5, "d1": 3},
        "trace": TraceSummary(job="j", trace_id="t", services=SERVICES, spans=9, orphans=0),
        "seconds": {},
        "peak_memory_mb": {},
        "restarts": {},
    }
    return Report(**(facts | changed))


def test_a_story_that_came_true_has_nothing_missing() -> None:
    assert find_failed_checks(report()) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"difference": {"old": LOSS, "new": GAIN}}, "the old families lost"),
        ({"difference": {"old": EVEN, "new": EVEN}}, "the new families gained nothing"),
        ({"difference": {}}, "the new families gained nothing"),
        ({"served_by_digest": {"d0": 5}}, "no answer came from the new weights"),
        ({"versions": []}, "0 versions were deployed"),
    ],
)
def test_what_is_missing_is_said(changed: dict[str, Any], sentence: str) -> None:
    assert any(said.startswith(sentence) for said in find_failed_checks(report(**changed)))


def test_lost_and_unused_feedback_is_said_in_numbers() -> None:
    found = report(feedback=FeedbackAudit(sent=9, stored=8, used=8, lost=1, double=0))

    assert find_failed_checks(found) == [
        "1 of 9 feedback events were lost",
        "8 of 9 feedback events were used",
    ]


def test_a_service_that_is_not_in_the_trace_is_named() -> None:
    trace = TraceSummary(job="j", trace_id="t", services=SERVICES[1:], spans=9, orphans=2)

    said = find_failed_checks(report(trace=trace))

    assert said == ["the trace lacks agent", "2 spans of the trace are orphans"]


def test_a_killed_process_may_leave_orphans_behind() -> None:
    trace = TraceSummary(job="j", trace_id="t", services=SERVICES, spans=9, orphans=2)

    assert find_failed_checks(report(trace=trace, restarts={"trainer": 1})) == []
