"""When a scenario has passed, and how its line is printed."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.accounting.client_log import Account
from tests.faults.readme import write_table
from tests.faults.runner import Line
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.scenarios.zombie import ZombieTrainer

GOOD = ScenarioResult(
    account=Account(100, 100, 100, 0, 0, 0, 0),
    load="100 commands",
    faults=3,
    survived=3,
    trials=100,
)


def test_a_balanced_scenario_passes_with_a_bound() -> None:
    assert GOOD.passed
    assert GOOD.bound == 0.03


@pytest.mark.parametrize(
    "changes",
    [
        {"account": Account(100, 99, 99, 0, 1, 0, 0)},
        {"account": Account(100, 100, 100, 0, 0, 1, 0)},
        {"survived": 2},
        {"problems": ("not quiet",)},
    ],
)
def test_a_violated_guarantee_fails_and_gives_no_bound(changes: dict[str, object]) -> None:
    outcome = replace(GOOD, **changes)
    assert not outcome.passed
    assert outcome.bound is None


def test_what_could_not_be_tried_has_not_passed() -> None:
    outcome = ScenarioResult.of_nothing("no disk to fill")

    assert not outcome.passed
    assert outcome.not_run == "no disk to fill"


def test_choices_depend_on_scenario_and_seed_alone() -> None:
    def first(scenario: str, seed: int) -> float:
        return Context(scenario, Path(), seed).random().random()

    assert first("F1", 1) == first("F1", 1)
    assert first("F1", 1) != first("F1", 2) != first("F2", 2)


def test_the_table_replaces_what_stood_between_its_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- short begin -->\nold\n<!-- short end -->\nafter\n")
    line = Line(ZombieTrainer(), GOOD, seed=7, seconds=12.4, at=datetime.now(UTC))
    write_table([line], long=False, command="--seed 7", seconds=12.4, path=readme)
    text = readme.read_text()
    assert text.startswith("before\n<!-- short begin -->\n")
    assert text.endswith("\n<!-- short end -->\nafter\n")
    assert "| F3 | 7 | 100 commands | 100 | 100 | 100 | 0 | 0 | 0 | 3 of 3 | 0.03 | 12 |" in text
    assert "old" not in text
    assert "--seed 7" in text
