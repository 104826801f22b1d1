"""Metrics that training reports have the names that readers look for."""

from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

from archon_contracts import metric_names
from archon_contracts.events import MetricsRecorded
from services.trainer.domain import read_metric_points
from services.trainer.recipes.progress_callback import ProgressCallback

STATE = SimpleNamespace(global_step=3, epoch=0.5, max_steps=10)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_loss_of_the_trainer_is_the_loss_that_readers_show() -> None:
    reports: list[dict[str, object]] = []
    callback = ProgressCallback(reports.append, dict)

    # The names under which transformers logs.
    logs = {"loss": 0.5, "learning_rate": 0.1, "grad_norm": 2.0, "epoch": 0.5}
    callback.on_log(None, STATE, None, logs=logs)
    event = MetricsRecorded(
        job_id=UUID(int=1),
        agent_id="a",
        attempt=1,
        points=tuple(read_metric_points(reports[0], NOW)),
    )

    read = MetricsRecorded.model_validate_json(event.to_bytes())
    assert {point.name: point.value for point in read.points} == {
        metric_names.TRAIN_LOSS: 0.5,
        metric_names.TRAIN_LEARNING_RATE: 0.1,
        metric_names.TRAIN_GRADIENT_NORM: 2.0,
    }
