"""The input of a run and the meaning of its answers."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.domain import (
    MAX_BATCH_POINTS,
    Hardware,
    MetricBuffer,
    RunFolders,
    build_run_spec,
    read_metric_points,
    read_trained_model,
)
from services.trainer.errors import NoOptimizerSteps
from tests.support.messaging.messages import NOON
from tests.support.registry import artifact
from tests.support.training.trainer import train

RESULT = {
    "steps": 4,
    "metrics": {"loss": 0.5, "ratio": None},
    "model_dir": "/made/here",
    "seconds": 1.5,
    "peak_memory_mb": 700.0,
    "library_versions": {"torch": "2"},
}


def test_a_run_gets_only_explicit_hyper_parameters() -> None:
    folders = RunFolders(Path("/d"), None, None, Path("/c"), Path("/o"))

    spec = build_run_spec(train(artifact("d"), steps=9), folders, Hardware(2, "cuda:1", "bfloat16"))

    assert spec["config"] == {"max_steps": 9, "seed": 5}
    assert (spec["warm_start_model"], spec["catalogue"], spec["plan"]) == (None, None, None)
    assert (spec["dataset"], spec["checkpoint_dir"], spec["output_dir"]) == ("/d", "/c", "/o")
    assert (spec["seed"], spec["threads"]) == (5, 2)
    assert (spec["device"], spec["precision"]) == ("cuda:1", "bfloat16")


def test_figures_that_are_no_numbers_are_left_out() -> None:
    assert read_trained_model(RESULT).metrics == {"loss": 0.5}


def test_a_run_without_a_step_gave_no_model() -> None:
    with pytest.raises(NoOptimizerSteps, match="no optimizer step"):
        read_trained_model({**RESULT, "steps": 0})


def test_points_carry_their_step_epoch_and_time() -> None:
    report = {"step": 3, "epoch": 0.5, "values": {"loss": 0.1, "rate": None}}

    (point,) = read_metric_points(report, NOON)

    assert (point.name, point.value, point.step, point.epoch) == ("loss", 0.1, 3, 0.5)
    assert point.recorded_at == NOON


def test_points_wait_for_a_second() -> None:
    buffer = MetricBuffer(NOON)
    buffer.add(read_metric_points({"step": 1, "values": {"loss": 0.1}}, NOON))

    assert not buffer.is_due(NOON + timedelta(seconds=0.9))
    assert buffer.is_due(NOON + timedelta(seconds=1))


def test_an_empty_buffer_is_never_due() -> None:
    assert not MetricBuffer(NOON).is_due(NOON + timedelta(hours=1))


@given(st.lists(st.integers(1, 3), max_size=120))
def test_no_point_is_lost_or_sent_twice(sizes: list[int]) -> None:
    buffer, sent, added = MetricBuffer(NOON), [], 0
    for step, size in enumerate(sizes):
        values = {f"metric_{number}": 1.0 for number in range(size)}
        buffer.add(read_metric_points({"step": step, "values": values}, NOON))
        added += size
        if buffer.is_due(NOON):
            batch = buffer.drain(NOON)
            assert len(batch) < MAX_BATCH_POINTS + 3
            sent.extend(batch)
    sent.extend(buffer.drain(NOON))

    assert len({(point.name, point.step) for point in sent}) == len(sent) == added
