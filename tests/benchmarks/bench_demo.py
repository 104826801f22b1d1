"""The demo's figures: accuracy, forgetting, seconds; runs `archon demo` anew.

Its report stays in `var/demo/report.json`.
"""

import json
import subprocess
import sys
from typing import Any

from tests.benchmarks.harness import Figure

# There is no small demo: a test of this benchmark replaces the command.
TINY: dict[str, object] = {}
COMMAND = (sys.executable, "-c", "from deploy.cli import app; app()", "demo", "--json")


def run() -> list[Figure]:
    """Run the demo once and read its report."""
    finished = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr.strip() or "the demo failed without a message")
    return figures(json.loads(finished.stdout))


def figures(report: dict[str, Any]) -> list[Figure]:
    """The figures of one report."""
    return [
        Figure(
            name="whole demo",
            figure=report["seconds"]["total"],
            unit="s",
            reach=120,
            higher_is_better=False,
        ),
        *(
            Figure(
                name=f"correction of {each['topic']} to the answer that follows it",
                figure=each["seconds"],
                unit="s",
                higher_is_better=False,
            )
            for each in report.get("fast_path", ())
        ),
        *_rollout(report),
        *_accuracy(report),
        *_differences(report),
        *_feedback(report["feedback"]),
    ]


def _rollout(report: dict[str, Any]) -> list[Figure]:
    canary, rollback = report["canary"], report["rollback"]
    return [
        Figure(
            name="canary of the retrain, until its feedback decided",
            figure=canary["seconds"],
            unit="s",
            higher_is_better=False,
        ),
        Figure(
            name="feedback on the worse version until it was rolled back",
            figure=rollback["feedback"],
            unit="events",
            reach=300,
            higher_is_better=False,
        ),
    ]


def _accuracy(report: dict[str, Any]) -> list[Figure]:
    return [
        Figure(name=f"accuracy {version}, {group}", figure=scores["value"], unit="fraction")
        for version, groups in report["accuracy"].items()
        for group, scores in groups.items()
    ]


def _differences(report: dict[str, Any]) -> list[Figure]:
    gain, loss = (report["difference"][group]["difference"] for group in ("new", "old"))
    return [
        Figure(name="gain on new families, low end", figure=gain["low"], unit="fraction", reach=0),
        Figure(
            name="change on old families, high end", figure=loss["high"], unit="fraction", reach=0
        ),
    ]


def _feedback(feedback: dict[str, int]) -> list[Figure]:
    return [
        Figure(
            name=f"feedback {what}",
            figure=feedback[what],
            unit="events",
            reach=0,
            higher_is_better=False,
        )
        for what in ("lost", "double")
    ]
