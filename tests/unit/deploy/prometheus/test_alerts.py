"""Alert rules: each fires for its symptom, none for a system that is well."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
# One series, its values each minute, and when the alert must be there.
FIRING: dict[str, tuple[list[str], int]] = {
    "ArchonMessagesWait": (['archon_outbox_oldest_age_seconds{service_name="a"}', "0 61x9"], 4),
    "ArchonDeadLetters": (['archon_dead_letters_total{service_name="a"}', "0x5 1x9"], 8),
    "ArchonJobsFail": (['archon_jobs_transitions_total{to_state="failed"}', "0x5 1x9"], 8),
    "ArchonEveryVersionRefused": (
        ['archon_jobs_transitions_total{to_state="rejected"}', "0x5 4x30"],
        20,
    ),
    "ArchonRequestsShed": (["archon_requests_shed_total", "0+5x40"], 20),
    "ArchonUpkeepFails": (['archon_periodic_failures_total{service_name="a"}', "0+1x40"], 20),
}
HOURLY = [
    FIRING["ArchonUpkeepFails"][0][0],
    " ".join(["0x29", *(f"{n}x59" for n in range(1, 7))]),
]
"""Work that is done once an hour, and fails each time."""
COMPLETED = {"series": 'archon_jobs_transitions_total{to_state="completed"}', "values": "0x60"}


def read_rules() -> dict[str, dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def test_each_rule_has_a_case_and_a_line_in_the_handbook() -> None:
    handbook = (ROOT / "contracts" / "handbook" / "operations.md").read_text()
    assert read_rules().keys() == FIRING.keys()
    assert [name for name in FIRING if f"| `{name}` |" not in handbook] == []


def test_each_rule_fires_for_its_symptom_and_not_for_a_system_that_is_well(
    tmp_path: Path,
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here; install Debian's package prometheus to test the rules")
    shutil.copy(RULES, tmp_path)
    quiet = yaml.safe_load(Path(__file__).with_name("alerts_test.yaml").read_text())
    quiet["tests"].append(_firing("ArchonUpkeepFails", HOURLY, 359))
    quiet["tests"] += [_firing(name, *case) for name, case in FIRING.items()]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(quiet))

    done = subprocess.run(
        [promtool, "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


def _firing(name: str, series: list[str], minutes: int) -> dict[str, Any]:
    rule = read_rules()[name]
    labels = dict(rule["labels"]) | ({"service_name": "a"} if "service_name" in series[0] else {})
    notes = {
        key: text.replace("{{ $labels.service_name }}", "a")
        for key, text in rule["annotations"].items()
    }
    return {
        "interval": "1m",
        "input_series": [{"series": series[0], "values": series[1]}, COMPLETED],
        "alert_rule_test": [
            {
                "eval_time": f"{minutes}m",
                "alertname": name,
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": notes}],
            }
        ],
    }
