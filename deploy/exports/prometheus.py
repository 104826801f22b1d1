"""Newest values of runs in Prometheus' text format, for a textfile collector or a push gateway.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from deploy.exports.runs import ExportedRun

METRIC: Final = "archon_run_metric"


def write_prometheus(runs: Iterable[ExportedRun], path: Path) -> list[Path]:
    """Write the newest value of each metric and attempt of the runs into one file."""
    path.write_text("".join(f"{line}\n" for line in render_prometheus(runs)))
    return [path]


def render_prometheus(runs: Iterable[ExportedRun]) -> Iterator[str]:
    """The lines; a scrape takes the values as they are now, so they have no time."""
    yield f"# HELP {METRIC} Newest value of a metric of a training run."
    yield f"# TYPE {METRIC} gauge"
    for run in runs:
        for (name, attempt), points in sorted(run.by_metric().items()):
            labels = {
                "agent": run.agent_id,
                "job": run.job_id,
                "attempt": str(attempt),
                "metric": name,
            }
            text = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
            newest = max(points, key=lambda point: (point.step, point.at))
            yield f"{METRIC}{{{text}}} {newest.value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
