"""The report names what the demo failed to show."""

from typing import Any

import pytest

from deploy.demo.audit import FeedbackAudit
from deploy.demo.report import TraceSummary, find_failed_checks
from tests.support.infrastructure.demo_reports import (
    CANARY,
    EVEN,
    GAIN,
    LOSS,
    ROLLBACK,
    SERVICES,
    demo_report,
)


def test_a_successful_demo_has_no_failed_check() -> None:
    assert find_failed_checks(demo_report()) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"difference": {"old": LOSS, "new": GAIN}}, "the old families lost"),
        ({"difference": {"old": EVEN, "new": EVEN}}, "the new families gained nothing"),
        ({"difference": {}}, "the new families gained nothing"),
        ({"served_by_digest": {"d0": 5}}, "no answer came from the new weights"),
        ({"versions": []}, "0 versions stayed deployed"),
        ({"fast_path": []}, "no correction was followed"),
        ({"canary": None}, "the canary was not decided"),
        (
            {"canary": CANARY.model_copy(update={"moved_back": 1})},
            "users of the canary were moved back",
        ),
        ({"rollback": None}, "the worse version was not rolled back"),
        (
            {"rollback": ROLLBACK.model_copy(update={"actor": "key:admin"})},
            "the worse version was not rolled back by itself",
        ),
        ({"topics": []}, "the retrain's report has no topics"),
    ],
)
def test_each_failed_check_is_named(changed: dict[str, Any], sentence: str) -> None:
    assert any(check.startswith(sentence) for check in find_failed_checks(demo_report(**changed)))


def test_lost_and_unused_feedback_is_reported_as_counts() -> None:
    found = demo_report(feedback=FeedbackAudit(sent=9, stored=8, used=8, lost=1, double=0))

    assert find_failed_checks(found) == [
        "1 of 9 feedback events were lost",
        "8 of 9 corrections were used",
    ]


def test_a_service_that_is_not_in_the_trace_is_named() -> None:
    trace = TraceSummary(job="j", trace_id="t", services=SERVICES[1:], spans=9, orphans=2)

    said = find_failed_checks(demo_report(trace=trace))

    assert said == ["the trace lacks agent", "2 spans of the trace are orphans"]


def test_a_killed_process_may_leave_orphans_behind() -> None:
    trace = TraceSummary(job="j", trace_id="t", services=SERVICES, spans=9, orphans=2)

    assert find_failed_checks(demo_report(trace=trace, restarts={"trainer": 1})) == []
