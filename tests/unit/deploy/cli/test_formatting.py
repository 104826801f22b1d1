"""What tables say."""

from io import StringIO

import pytest
from aiokafka import TopicPartition
from rich.console import Console

from deploy.cli.commands.audit import why
from deploy.cli.commands.jobs import eta
from deploy.cli.output import coloured, estimate, shown, table, text
from shared.kafka.topic_admin import lags


def proportion(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 100}


def test_an_absent_value_is_a_dash() -> None:
    assert (text(None), text(""), text(0), text(0.5)) == ("-", "-", "0", "0.500")


EVIL = "[red]a[/red]\x1b[2J\x9b[/b]\n\u202eb"


@pytest.mark.parametrize("place", ["title", "column", "cell", "line"])
def test_what_others_wrote_is_neither_markup_nor_obeyed_by_a_terminal(place: str) -> None:
    written = StringIO()
    screen = Console(file=written, width=200, force_terminal=True, color_system=None)

    if place == "line":
        screen.print(f"[bold]ours[/bold] {shown(EVIL)}")
    else:
        parts = {"title": "t", "column": "c", "cell": "v" * 40} | {place: EVIL}
        screen.print(table(parts["title"], [parts["column"]], [[parts["cell"]]]))

    printed = written.getvalue()
    assert "[red]a[/red] [2J [/b]  b" in printed
    assert "\x9b" not in printed
    assert "\x1b[2J" not in printed


def test_a_state_has_its_colour_and_stays_text() -> None:
    assert (coloured("failed").style, coloured("[b]x").plain) == ("red", "[b]x")


def test_an_estimate_shows_its_interval_and_its_size() -> None:
    assert estimate(proportion(0.5)) == "0.500 (0.400 to 0.600, n 100)"


def test_the_end_of_a_training_is_estimated_once_it_is_known() -> None:
    assert eta({}) == ""
    assert eta({"step": 3, "total_steps": 9}) == "step 3 of 9"
    assert eta({"step": 3, "total_steps": 9, "eta_seconds": 4.4}) == "step 3 of 9, 4 s left"


def test_lag_counts_what_a_group_has_not_read_of_the_partitions_it_reads() -> None:
    parts = [TopicPartition("t", 0), TopicPartition("t", 1)]
    read = {"g": {parts[0]: 4, parts[1]: 10}, "elsewhere": {TopicPartition("u", 0): 1}}

    assert lags(parts, {parts[0]: 10, parts[1]: 10}, read) == {"g": 6}


def test_why_is_the_reason_and_each_change() -> None:
    change = {"field": "trigger.rating_drop", "before": "", "after": "0.5"}

    assert why({"reason": "", "changes": []}) == ""
    assert why({"reason": "odd", "changes": [change]}) == "odd; trigger.rating_drop: - -> 0.5"
