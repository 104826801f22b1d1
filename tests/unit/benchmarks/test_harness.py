"""The benchmark harness: figures are compared, shown and recorded."""

import json
from pathlib import Path

from rich.console import Console

from tests.benchmarks.harness import Figure, benchmarks, record, show


def test_a_rate_reaches_from_below_and_a_time_from_above() -> None:
    rate = Figure(name="rate", figure=10, unit="events/s", reach=9)
    slow = Figure(name="wait", figure=10, unit="s", reach=9, higher_is_better=False)

    assert (rate.reached, slow.reached) == (True, False)


def test_a_figure_without_a_reach_is_not_compared() -> None:
    assert Figure(name="rate", figure=10, unit="events/s").reached is None


def test_each_figure_becomes_one_line_with_the_revision(tmp_path: Path) -> None:
    results = tmp_path / "bench" / "results.jsonl"
    figures = [Figure(name="a", figure=1, unit="s"), Figure(name="b", figure=2, unit="s", ratio=2)]

    record("demo", figures, results)
    record("demo", figures[:1], results)

    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [line["name"] for line in lines] == ["a", "b", "a"]
    assert {"figure", "unit", "reach", "reached", "revision"} <= lines[0].keys()
    assert ("ratio" in lines[0], lines[1]["ratio"]) == (False, 2)


def test_the_table_says_what_was_to_be_reached() -> None:
    console = Console(width=120)
    with console.capture() as shown:
        show("demo", [Figure(name="rate", figure=10, unit="events/s", reach=9)], console)

    assert ">= 9" in shown.get()


def test_every_benchmark_says_in_one_line_what_it_measures() -> None:
    assert all(line.endswith(".") for line in benchmarks().values())
