"""What a run used: measured in its process, priced by the trainer's rates."""

import time
from pathlib import Path
from typing import Any

from archon_contracts.metric_names import (
    COST,
    CPU_SECONDS,
    ENERGY,
    EXAMPLES,
    GPU_SECONDS,
    PADDING,
    PEAK_MEMORY,
    SUMMED_RESOURCES,
    TOKENS,
    WALL_SECONDS,
)
from services.trainer.child import run
from services.trainer.resources import ResourceMeter, ResourceRates
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import run_spec

RATES = ResourceRates(
    core_hour=0.36, accelerator_hour=3.6, core_watts=36.0, accelerator_watts=360.0
)


def work(seconds: float) -> ResourceMeter:
    """A meter of a process that was busy for so long."""
    meter, until = ResourceMeter(), time.process_time() + seconds
    while time.process_time() < until:
        pass
    return meter


def test_work_of_the_processor_is_priced_by_its_seconds() -> None:
    used = work(0.05).read("cpu", RATES)

    assert used[CPU_SECONDS] >= 0.05
    assert used[GPU_SECONDS] == 0
    assert used[COST] == used[CPU_SECONDS] * 0.36 / 3600
    assert used[ENERGY] == used[CPU_SECONDS] * 36 / 3600


def test_an_accelerator_counts_as_long_as_it_is_taken() -> None:
    used = work(0.01).read("cuda:0", RATES)

    assert used[GPU_SECONDS] == used[WALL_SECONDS] > 0
    assert used[COST] > used[GPU_SECONDS] * 3.6 / 3600


def test_a_run_reports_what_it_used_and_read(tmp_path: Path) -> None:
    reports: list[dict[str, Any]] = []
    spec = run_spec(tmp_path, tiny_encoder(tmp_path / "base"), kind="classifier", epochs=2)

    metrics = run(spec | {"rates": {"core_hour": 1.0}}, reports.append)["metrics"]

    assert reports[-1]["values"].keys() == {*SUMMED_RESOURCES, PEAK_MEMORY}
    assert metrics[COST] == metrics[CPU_SECONDS] / 3600 > 0
    assert metrics[EXAMPLES] == 2 * 24  # two epochs
    assert metrics[TOKENS] > metrics[EXAMPLES]
    assert 0 < metrics[PADDING] < 1
