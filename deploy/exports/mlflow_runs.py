"""Runs in MLflow's file format: a folder `mlruns` that `mlflow ui` shows.

See mlflow/store/tracking/file_store.py: `meta.yaml` of experiment and run, and a file per metric,
parameter and tag; a metric's lines are `timestamp value step`, times in milliseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.exports.runs import ExportedRun

FINISHED, FAILED, RUNNING, KILLED = 3, 4, 1, 5
STATUSES: Final[Mapping[str, int]] = {
    "completed": FINISHED,
    "rejected": FINISHED,
    "failed": FAILED,
    "cancelled": KILLED,
}


def write_mlflow(run: ExportedRun, folder: Path) -> list[Path]:
    """Add a run to the store at `folder`; returns its folder. An experiment is an agent."""
    experiment = str(int(hashlib.sha256(run.agent_id.encode()).hexdigest()[:15], 16))
    run_id = run.job_id.replace("-", "")
    root = folder / experiment
    place = root / run_id
    for part in ("metrics", "params", "tags", "artifacts"):
        (place / part).mkdir(parents=True, exist_ok=True)
    _write_yaml(
        root / "meta.yaml",
        {
            "artifact_location": root.absolute().as_uri(),
            "experiment_id": experiment,
            "lifecycle_stage": "active",
            "name": run.agent_id,
        },
    )
    started = int(run.created_at.timestamp() * 1000)
    ended = int(run.ended_at.timestamp() * 1000) if run.ended_at else None
    _write_yaml(
        place / "meta.yaml",
        {
            "artifact_uri": (place / "artifacts").absolute().as_uri(),
            "end_time": ended,
            "entry_point_name": "",
            "experiment_id": experiment,
            "lifecycle_stage": "active",
            "run_id": run_id,
            "run_name": run.version or run.job_id,
            "run_uuid": run_id,
            "source_name": "",
            "source_type": 4,  # local
            "source_version": "",
            "start_time": started,
            "status": STATUSES.get(run.state, RUNNING),
            "tags": [],
            "user_id": "archon",
        },
    )
    _write_metrics(run, place)
    for name, value in run.config.items():
        # A text as it is: quotes would be part of the parameter.
        _write_line(place / "params" / name, value if isinstance(value, str) else json.dumps(value))
    for name, value in _tags(run).items():
        _write_line(place / "tags" / name, value)
    return [place]


def _write_metrics(run: ExportedRun, place: Path) -> None:
    newest = max((point.attempt for point in run.points), default=0)
    for (name, attempt), points in run.by_metric().items():
        # The last attempt has the metric's own name: it is the one that gave the model.
        shown = name if attempt == newest else f"attempt-{attempt}/{name}"
        path = place / "metrics" / shown
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (f"{int(p.at.timestamp() * 1000)} {p.value!r} {p.step}\n" for p in points)
        path.write_text("".join(lines))


def _tags(run: ExportedRun) -> dict[str, str]:
    tags = {
        "mlflow.runName": run.version or run.job_id,
        "archon.agent_id": run.agent_id,
        "archon.job_id": run.job_id,
        "archon.method": run.method,
        "archon.state": run.state,
    }
    return tags | ({"archon.version": run.version} if run.version else {})


def _write_line(path: Path, text: str) -> None:
    path.write_text(text.replace("\n", " "))


def _write_yaml(path: Path, fields: Mapping[str, object]) -> None:
    # JSON's scalars are YAML's, so no library is needed.
    path.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in fields.items()))
