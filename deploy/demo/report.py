"""`var/demo/report.json`: what was measured, and nothing else."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from deploy.demo import client_log as ledger
from deploy.demo.audit import FeedbackAudit
from deploy.demo.progress_view import Board
from deploy.demo.scenario import Told
from deploy.local.revision import code_revision

SERVICES_IN_TRACE = ("agent", "coordinator", "data_prep", "trainer", "evaluator", "registry")
GROUPS = ("old", "new")


class Version(BaseModel):
    """A deployed version."""

    version: str
    digest: str
    deployed_at: str
    reason: str


class TraceFacts(BaseModel):
    """The retrain's trace."""

    job: str
    trace_id: str
    services: list[str]
    spans: int
    orphans: int


class Report(BaseModel):
    """One run of the demo. Accuracy is version -> group -> top-1 share with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    seed: int
    revision: str
    feedback: FeedbackAudit
    versions: list[Version]
    accuracy: dict[str, dict[str, dict[str, float]]]
    difference: dict[str, dict[str, Any]]
    served_by_digest: dict[str, int]
    trace: TraceFacts
    seconds: dict[str, float]
    peak_memory_mb: dict[str, float]
    restarts: dict[str, int]

    def save(self, folder: Path) -> Path:
        """Write `report.json` into `folder`."""
        path = folder / "report.json"
        path.write_text(json.dumps(self.model_dump(mode="json"), indent=2) + "\n")
        return path


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of the processes; `restarts` names those that died and were started again."""

    peak_memory_mb: dict[str, float]
    restarts: dict[str, int]


def build_report(
    told: Told,
    board: Board,
    audit: FeedbackAudit,
    *,
    seed: int,
    began: float,
    watched: Watched,
) -> Report:
    """Everything that the story, the board and the auditor measured."""
    comparison = told.retrain["evaluation"].get("comparison", {})
    return Report(
        seed=seed,
        revision=code_revision(),
        feedback=audit,
        versions=_versions(told),
        accuracy=_accuracy(told),
        difference={group: comparison[group] for group in GROUPS if group in comparison},
        served_by_digest=ledger.served_by_digest(told.answers),
        trace=TraceFacts(
            job=told.retrain["job_id"],
            trace_id=told.trace["trace_id"],
            services=told.trace["services"],
            spans=len(told.trace["spans"]),
            orphans=len(told.trace["orphans"]),
        ),
        seconds=_seconds(told, board, began),
        peak_memory_mb=watched.peak_memory_mb,
        restarts=watched.restarts,
    )


def unfulfilled(report: Report) -> list[str]:
    """What the demo was to show and did not, a sentence each."""
    feedback, new, old = report.feedback, *(report.difference.get(g) for g in ("new", "old"))
    missing = sorted(set(SERVICES_IN_TRACE) - set(report.trace.services))
    newest = report.versions[-1].digest if report.versions else ""
    checks = {
        f"{feedback.lost} of {feedback.sent} feedback events were lost": feedback.lost > 0,
        f"{feedback.double} feedback events were counted twice": feedback.double > 0,
        f"{feedback.used} of {feedback.sent} feedback events were used": (
            feedback.used != feedback.sent
        ),
        f"{len(report.versions)} versions were deployed instead of 2": len(report.versions) != 2,
        "the new families gained nothing beyond the interval": (
            new is None or new["difference"]["low"] <= 0
        ),
        "the old families lost beyond the interval": (old is None or old["difference"]["high"] < 0),
        "no answer came from the new weights": not report.served_by_digest.get(newest),
        f"the trace lacks {', '.join(missing)}": bool(missing),
        # A process that is killed takes its last spans with it; their children stay behind.
        f"{report.trace.orphans} spans of the trace are orphans": (
            report.trace.orphans > 0 and not report.restarts
        ),
    }
    return [sentence for sentence, is_so in checks.items() if is_so]


def _versions(told: Told) -> list[Version]:
    deployed = [model for model in told.models if model.get("deployed_at")]
    return [
        Version(**{name: model[name] for name in Version.model_fields})
        for model in sorted(deployed, key=lambda model: model["deployed_at"])
    ]


def _accuracy(told: Told) -> dict[str, dict[str, dict[str, float]]]:
    first, second = told.first["evaluation"]["accuracy"], told.retrain["evaluation"]["accuracy"]
    scored = {
        "base": first["base"],
        told.first["version"]: first["candidate"],
        told.retrain["version"]: second["candidate"],
    }
    return {
        version: {group: scores[group] for group in GROUPS if group in scores}
        for version, scores in scored.items()
    }


def _seconds(told: Told, board: Board, began: float) -> dict[str, float]:
    jobs = {"initial_training": told.first, "retrain": told.retrain}
    stages = {
        f"{name}.{state}": seconds
        for name, job in jobs.items()
        for state, seconds in job["stage_seconds"].items()
    }
    return {**board.seconds(), **stages, "total": round(time.monotonic() - began, 2)}
