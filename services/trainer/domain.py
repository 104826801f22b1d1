"""The input of a run and the meaning of its reports: pure rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from archon_contracts.commands import TrainModel
from archon_contracts.events import MetricPoint
from archon_inference.devices import Precision
from services.trainer.errors import NoOptimizerSteps
from services.trainer.resources import ResourceRates

# A short run makes many steps a second: a message for each would load outbox and topic.
MAX_BATCH_POINTS = 50
MAX_BATCH_AGE = timedelta(seconds=1)


class TrainingState(StrEnum):
    """Where the newest attempt of a job stands."""

    ACCEPTED = "accepted"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class RunFolders:
    """Where a run reads and writes, all on the local disk."""

    dataset: Path
    warm_start_model: Path | None
    catalogue: Path | None
    checkpoints: Path
    output: Path
    source_model: Path | None = None


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a run computes on, how precisely, and what that costs."""

    threads: int
    device: str = "cpu"
    precision: Precision = "float32"
    rates: ResourceRates = field(default_factory=ResourceRates)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """What a run gave: the folder of its model and the figures about it."""

    folder: Path
    steps: int
    metrics: Mapping[str, float]
    seconds: float
    peak_memory_mb: float
    library_versions: Mapping[str, str]
    closed_form: Path | None = None
    """Folder of the closed form beside a fine-tuned model."""
    closed_form_metrics: Mapping[str, float] = field(default_factory=dict)


def build_run_spec(command: TrainModel, folders: RunFolders, hardware: Hardware) -> dict[str, Any]:
    """The run as the child process takes it: plain JSON, every folder a path."""
    return {
        "job_id": str(command.job_id),
        "attempt": command.attempt,
        "kind": command.kind.value,
        "method": command.method.value,
        "base_model": command.base_model,
        "warm_start_model": _text(folders.warm_start_model),
        "source_model": _text(folders.source_model),
        "dataset": str(folders.dataset),
        "catalogue": _text(folders.catalogue),
        "labels": list(command.labels),
        "output_dir": str(folders.output),
        "checkpoint_dir": str(folders.checkpoints),
        "seed": command.config.effective_seed,
        "threads": hardware.threads,
        "device": hardware.device,
        "precision": hardware.precision,
        "rates": asdict(hardware.rates),
        "retention": command.retention.value,
        "plan": command.plan.model_dump(mode="json") if command.plan else None,
        "config": command.config.model_dump(mode="json", exclude_none=True),
    }


def read_trained_model(result: Mapping[str, Any]) -> TrainedModel:
    """The child's answer, checked.

    Raises:
        NoOptimizerSteps: no optimizer step was done.
    """
    if result["steps"] < 1:
        raise NoOptimizerSteps(
            "The training did no optimizer step; look at the number of items, "
            "batch_size and max_steps."
        )
    closed_form = result.get("closed_form") or {}
    return TrainedModel(
        folder=Path(result["model_dir"]),
        steps=result["steps"],
        metrics=_keep_finite(result["metrics"]),
        seconds=result["seconds"],
        peak_memory_mb=result["peak_memory_mb"],
        library_versions=result["library_versions"],
        closed_form=Path(closed_form["model_dir"]) if closed_form else None,
        closed_form_metrics=_keep_finite(closed_form.get("metrics", {})),
    )


def read_metric_points(report: Mapping[str, Any], at: datetime) -> list[MetricPoint]:
    """The points of a `metrics` report."""
    return [
        MetricPoint(
            name=name, value=value, step=report["step"], epoch=report.get("epoch"), recorded_at=at
        )
        for name, value in _keep_finite(report["values"]).items()
    ]


@dataclass(slots=True)
class MetricBuffer:
    """Points that wait to be sent together: up to fifty, or as long as a second."""

    sent_at: datetime
    points: list[MetricPoint] = field(default_factory=list)

    def add(self, points: list[MetricPoint]) -> None:
        """Keep points for the next batch."""
        self.points.extend(points)

    def is_due(self, now: datetime) -> bool:
        """Whether the batch should be sent now."""
        waited = now - self.sent_at >= MAX_BATCH_AGE
        return len(self.points) >= MAX_BATCH_POINTS or (waited and bool(self.points))

    def drain(self, now: datetime) -> tuple[MetricPoint, ...]:
        """The batch; the buffer is empty afterwards."""
        batch, self.points, self.sent_at = tuple(self.points), [], now
        return batch


def _keep_finite(values: Mapping[str, float | None]) -> dict[str, float]:
    """JSON has no word for infinity: it came as null, and is left out."""
    return {n: v for n, v in values.items() if v is not None and math.isfinite(v)}


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
