"""Figures of two revisions are measured in turn and compared by their medians."""

import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks.revisions import alternate, check_out, compare

TREES = {"before": Path("before"), "after": Path("after")}


def test_the_order_of_the_trees_changes_with_each_round() -> None:
    seen: list[Path] = []

    def measure(tree: Path) -> dict[str, float]:
        seen.append(tree)
        return {"rate": float(len(seen))}

    found = alternate(TREES, 3, measure)

    assert [tree.name for tree in seen] == ["before", "after", "after", "before", "before", "after"]
    assert [each["rate"] for each in found["before"]] == [1.0, 4.0, 5.0]


def test_the_medians_of_what_both_have_are_compared() -> None:
    console = Console(record=True, width=100)

    console.print(
        compare(
            "intake",
            {
                "before": [
                    {"rate": 9.0, "gone": 1.0},
                    {"rate": 10.0, "gone": 1.0},
                    {"rate": 99.0, "gone": 1.0},
                ],
                "after": [{"rate": 5.0, "new": 1.0}],
            },
        )
    )

    printed = console.export_text()
    assert "0.500" in printed
    assert "gone" not in printed
    assert "new" not in printed


def test_a_revision_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        check_out("no-such-revision", tmp_path)
