"""Exported runs, read by the tools that they are for; where a tool is not installed, it says so.

Neither is a dependency: TensorBoard 2.21 and mlflow-skinny 3.17 were tried.
"""

from pathlib import Path

import pytest

from deploy.exports.mlflow_runs import write_mlflow
from deploy.exports.tensorboard import write_tensorboard
from tests.unit.deploy.exports.test_runs import RUN


def test_tensorboard_reads_each_attempt(tmp_path: Path) -> None:
    events = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    *_, last = write_tensorboard(RUN, tmp_path)

    found = events.EventAccumulator(str(last.parent))
    found.Reload()

    assert set(found.Tags()["scalars"]) == {"train/loss", "validation/accuracy"}
    loss = [(event.step, event.value) for event in found.Scalars("train/loss")]
    assert loss == [(1, 1.0), (300, 0.5)]


def test_mlflow_reads_runs_with_their_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    # MLflow 3 reads its older format of files only where that is asked for.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    write_mlflow(RUN, tmp_path / "mlruns")

    client = mlflow.MlflowClient((tmp_path / "mlruns").as_uri())
    (experiment,) = client.search_experiments()
    (run,) = client.search_runs([experiment.experiment_id])

    assert (experiment.name, run.info.status) == ("picker", "FINISHED")
    assert run.data.params == {"epochs": "3", "fine_tuning": "never"}
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1.0), (300, 0.5)]
