"""`var/demo/report.json`: what was measured, and nothing else."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from archon_contracts.formats import TopicChange
from archon_contracts.metric_names import ACCURACY
from deploy.demo import client_log
from deploy.demo.audit import FeedbackAudit
from deploy.demo.progress_view import ProgressView
from deploy.demo.rollout.scenario import CanaryResult, RollbackResult
from deploy.demo.router.scenario import FollowedCorrection
from deploy.demo.scenario import DemoResult
from deploy.local.revision import code_revision

SERVICES_IN_TRACE = ("agent", "coordinator", "data_prep", "trainer", "evaluator", "registry")
GROUPS = ("old", "new")


class ReportedVersion(BaseModel):
    """A deployed version."""

    version: str
    digest: str
    deployed_at: str
    reason: str


class TraceSummary(BaseModel):
    """The retrain's trace."""

    job: str
    trace_id: str
    services: list[str]
    spans: int
    orphans: int


class Report(BaseModel):
    """One run of the demo. Accuracy: version -> group -> top-1 accuracy with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    seed: int
    revision: str
    feedback: FeedbackAudit
    versions: list[ReportedVersion]
    accuracy: dict[str, dict[str, dict[str, float]]]
    difference: dict[str, dict[str, Any]]
    served_by_digest: dict[str, int]
    trace: TraceSummary
    fast_path: list[FollowedCorrection]
    busy_feedback: int
    """Corrections of the busy hours: those that the retrain learns from."""
    canary: CanaryResult | None
    rollback: RollbackResult | None
    topics: list[TopicChange]
    seconds: dict[str, float]
    peak_memory_mb: dict[str, float]
    restarts: dict[str, int]

    def save(self, folder: Path) -> Path:
        """Write `report.json` into `folder`."""
        path = folder / "report.json"
        path.write_text(json.dumps(self.model_dump(mode="json"), indent=2) + "\n")
        return path


@dataclass(frozen=True, slots=True)
class ProcessObservations:
    """What was seen of the processes; `restarts` names those that died and were started again."""

    peak_memory_mb: dict[str, float]
    restarts: dict[str, int]


def build_report(
    result: DemoResult,
    view: ProgressView,
    audit: FeedbackAudit,
    *,
    seed: int,
    began: float,
    watched: ProcessObservations,
) -> Report:
    """Everything that the scenario, the view and the auditor measured."""
    comparison = result.retrain["evaluation"].get("comparison", {})
    return Report(
        seed=seed,
        revision=code_revision(),
        feedback=audit,
        versions=_versions(result),
        accuracy=_accuracy(result),
        difference={group: comparison[group] for group in GROUPS if group in comparison},
        served_by_digest=client_log.served_by_digest(result.answers),
        trace=TraceSummary(
            job=result.retrain["job_id"],
            trace_id=result.trace["trace_id"],
            services=result.trace["services"],
            spans=len(result.trace["spans"]),
            orphans=len(result.trace["orphans"]),
        ),
        fast_path=result.corrections,
        busy_feedback=result.busy_feedback,
        canary=result.canary,
        rollback=result.rollback,
        topics=(result.run_report.get("changes") or {}).get("topics", []),
        seconds=_seconds(result, view, began),
        peak_memory_mb=watched.peak_memory_mb,
        restarts=watched.restarts,
    )


def find_failed_checks(report: Report) -> list[str]:
    """What the demo was to show and did not, a sentence each."""
    feedback, new, old = report.feedback, *(report.difference.get(g) for g in ("new", "old"))
    missing = sorted(set(SERVICES_IN_TRACE) - set(report.trace.services))
    newest = report.versions[-1].digest if report.versions else ""
    checks = {
        f"{feedback.lost} of {feedback.sent} feedback events were lost": feedback.lost > 0,
        f"{feedback.double} feedback events were counted twice": feedback.double > 0,
        f"{feedback.used} of {report.busy_feedback} corrections were used": (
            feedback.used != report.busy_feedback
        ),
        # One that was rolled back is none of them.
        f"{len(report.versions)} versions stayed deployed instead of 2": len(report.versions) != 2,
        "the new families gained nothing beyond the interval": (
            new is None or new["difference"]["low"] <= 0
        ),
        "the old families lost beyond the interval": (old is None or old["difference"]["high"] < 0),
        "no correction was followed by the fast path": not report.fast_path,
        "the retrain's report has no topics": not report.topics,
        "no answer came from the new weights": not report.served_by_digest.get(newest),
        **_check_rollout(report.canary, report.rollback),
        f"the trace lacks {', '.join(missing)}": bool(missing),
        # A process that is killed takes its last spans with it; their children stay behind.
        f"{report.trace.orphans} spans of the trace are orphans": (
            report.trace.orphans > 0 and not report.restarts
        ),
    }
    return [sentence for sentence, is_so in checks.items() if is_so]


def _check_rollout(canary: CanaryResult | None, rollback: RollbackResult | None) -> dict[str, bool]:
    answers = canary.feedback if canary else {}
    return {
        "the canary was not decided by feedback on both versions": len(answers) < 2,
        "users of the canary were moved back": canary is not None and canary.moved_back > 0,
        "the worse version was not rolled back": rollback is None,
        "the worse version was not rolled back by itself": (
            rollback is not None and not rollback.actor.startswith("system")
        ),
    }


def _versions(result: DemoResult) -> list[ReportedVersion]:
    deployed = [model for model in result.models if model.get("deployed_at")]
    return [
        ReportedVersion(**{name: model[name] for name in ReportedVersion.model_fields})
        for model in sorted(deployed, key=lambda model: model["deployed_at"])
    ]


def _accuracy(result: DemoResult) -> dict[str, dict[str, dict[str, float]]]:
    first, second = result.first["evaluation"][ACCURACY], result.retrain["evaluation"][ACCURACY]
    scored = {
        "base": first["baseline"],
        result.first["version"]: first["candidate"],
        result.retrain["version"]: second["candidate"],
    }
    return {
        version: {group: scores[group] for group in GROUPS if group in scores}
        for version, scores in scored.items()
    }


def _seconds(result: DemoResult, view: ProgressView, began: float) -> dict[str, float]:
    jobs = {"initial_training": result.first, "retrain": result.retrain}
    stages = {
        f"{name}.{state}": seconds
        for name, job in jobs.items()
        for state, seconds in job["stage_seconds"].items()
    }
    return {**view.seconds(), **stages, "total": round(time.monotonic() - began, 2)}
