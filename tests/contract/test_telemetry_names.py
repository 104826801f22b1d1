"""Names of spans, metrics and attributes are what dashboards and queries know them by.

To rename one on purpose, change `snapshots/telemetry.json` in the same commit.
"""

from __future__ import annotations

import json
from pathlib import Path

from archon_contracts import telemetry

SNAPSHOT = Path(__file__).parent / "snapshots" / "telemetry.json"


def names() -> dict[str, str]:
    return {
        constant: value
        for constant, value in sorted(vars(telemetry).items())
        if constant.isupper() and isinstance(value, str)
    }


def test_names_are_those_of_the_snapshot() -> None:
    assert names() == json.loads(SNAPSHOT.read_text())


def test_no_two_constants_share_a_name() -> None:
    values = list(names().values())

    assert sorted(values) == sorted(set(values))


def test_our_own_attributes_and_metrics_are_under_our_prefix() -> None:
    outside = [
        value
        for constant, value in names().items()
        if not constant.startswith(("SPAN_", "MESSAGING_", "METRIC_", "ERROR_", "GEN_AI_"))
        and not value.startswith("archon.")
    ]

    assert outside == []
