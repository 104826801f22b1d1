"""A report of a demo in which everything went well, with what a test wants to differ."""

from typing import Any

from archon_contracts.formats import TopicDecision, TopicKind
from deploy.demo.audit import FeedbackAudit
from deploy.demo.report import Report, ReportedVersion, TraceSummary
from deploy.demo.rollout.scenario import CanaryResult, RollbackResult
from deploy.demo.router.scenario import FollowedCorrection
from tests.support.gateway.reported_runs import topic

GAIN = {"difference": {"value": 0.1, "low": 0.05, "high": 0.15, "n": 200}}
EVEN = {"difference": {"value": -0.01, "low": -0.04, "high": 0.02, "n": 300}}
LOSS = {"difference": {"value": -0.1, "low": -0.15, "high": -0.05, "n": 300}}
CANARY = CanaryResult(
    control="1.0.0",
    candidate="1.1.0",
    answers={"1.0.0": 60, "1.1.0": 30},
    feedback={"1.0.0": 60, "1.1.0": 30},
    moved=7,
    moved_back=0,
    experiment_id="e",
    looks=20,
    difference={"value": 0.2, "low": -0.1, "high": 0.5, "n": 90},
    reason="nothing got worse",
    seconds=9.0,
)
ROLLBACK = RollbackResult(
    worse="1.2.0",
    restored="1.1.0",
    feedback=40,
    actor="system (automatic rollback)",
    reason="version 1.2.0 got worse",
    seconds=7.0,
)
SERVICES = ["agent", "coordinator", "data_prep", "evaluator", "registry", "trainer"]


def demo_report(**changed: Any) -> Report:
    """A passing report; each argument replaces a field."""
    facts: dict[str, Any] = {
        "seed": 0,
        "revision": "abc",
        "feedback": FeedbackAudit(sent=9, stored=9, used=9, lost=0, double=0),
        "versions": [
            ReportedVersion(version=f"1.{n}.0", digest=f"d{n}", deployed_at="", reason="")
            for n in (0, 1)
        ],
        "accuracy": {},
        "difference": {"old": EVEN, "new": GAIN},
        "served_by_digest": {"d0": 5, "d1": 3},
        "trace": TraceSummary(job="j", trace_id="t", services=SERVICES, spans=9, orphans=0),
        "fast_path": [
            FollowedCorrection(topic="a", answer_before="b", version="1.1.0", seconds=2.0)
        ],
        "busy_feedback": 9,
        "canary": CANARY,
        "rollback": ROLLBACK,
        "topics": [topic("all", 0.5, 0.6, TopicDecision.GAIN, TopicKind.ALL)],
        "seconds": {},
        "peak_memory_mb": {},
        "restarts": {},
    }
    return Report(**(facts | changed))
