"""Screens of a terminal: 80 columns, one screen, whatever names and numbers are shown."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from deploy.cli.output import coloured, plain_table
from deploy.cli.screens.job import build_stage_table, describe_loss, draw_losses, format_seconds
from deploy.cli.screens.system import build_loop_screen, build_status_screen
from deploy.local.processes.status import ProcessState, ProcessStatus

JOB_ID = "0198c0de-0000-7000-8000-00000000abcd"
LONG = "a-very-long-name-" * 12
STATUS: dict[str, Any] = {
    "feedback_totals": {"feedback": 1234567, "corrected": 4, "rated": 9, "interactions": 12},
    "open_jobs": {"training": 1, "queued": 2},
    "workers": [{"worker_id": "w", "slots": 2, "busy": 1}],
    "dead_letters": {"coordinator": 2, "trainer": 1, "registry": 0},
    "outbox_age_seconds": 0.4,
    "kafka": "connected",
    "shedding": {},
    "parked_agents": [],
}
AGENT = {
    "agent_id": "helpdesk",
    "deployed_version": "1.4.0",
    "deployed": {"deployed_at": "2026-01-01T00:00:00+00:00"},
    "feedback_totals": {"feedback": 412, "mean_rating": 4.256},
    "open_job": JOB_ID,
}
JOB = {
    "job_id": JOB_ID,
    "agent_id": "helpdesk",
    "state": "training",
    "created_at": "2026-01-01T00:00:00+00:00",
    "progress": {"step": 150, "total_steps": 300},
}


def text_of(screen: RenderableType, *, width: int = 80) -> str:
    written = StringIO()
    Console(file=written, width=width, color_system=None).print(screen)
    return written.getvalue()


@pytest.mark.parametrize("name", ["helpdesk", LONG, "😀" * 60])
def test_everything_fits_80_columns_and_one_screen(name: str) -> None:
    agents = [{**AGENT, "agent_id": name}] * 2
    rows = [(JOB_ID, name, coloured("completed"), "1.10.0", "12 min ago")]
    screens = [
        build_status_screen(STATUS, [], {}, agents),
        build_loop_screen(STATUS, agents, [{**JOB, "agent_id": name}]),
        plain_table(("job", "agent", "state", "version", "asked for"), rows),
        build_stage_table({"history": [{"state": "failed", "reason": name}]}),
    ]

    for screen in screens:
        lines = text_of(screen).splitlines()
        assert max(Console().measure(line).maximum if line else 0 for line in lines) <= 80
        assert len(lines) <= 40
    # An id is whole on its line, so that it can be copied.
    assert JOB_ID in text_of(screens[2])


def test_the_status_is_one_screen_of_words_and_rounded_numbers() -> None:
    processes = [
        ProcessStatus(name="gateway", pid=1, state=ProcessState.READY, restarts=0, port=1),
        ProcessStatus(name="trainer", pid=2, state=ProcessState.STOPPED, restarts=2, port=2),
    ]
    problems = {"gateway": {"audit": "3 entries are dead letters"}}

    shown = text_of(build_status_screen(STATUS, processes, problems, [AGENT]))

    for words in (
        "1 of 2 ready",
        "2 restarts; trainer stopped",
        "1, 1 of 2 slots busy",
        "1 training, 2 queued",
        "1,234,567 stored, 4 corrections, 9 ratings, 12 interactions",
        "dead letters  3 (2 of coordinator, 1 of trainer)",
        "4.26",
        "! gateway audit: 3 entries are dead letters",
    ):
        assert words in shown
    assert "nothing needs attention" not in shown
    assert len(shown.splitlines()) <= 24


def test_a_parked_agent_and_a_calm_system_are_said() -> None:
    parked = {"parked_agents": [{"agent_id": "a", "reason": "its suite is gone"}]}

    assert "! a begins no retrain: its suite is gone" in text_of(
        build_status_screen(parked, [], {})
    )
    assert "nothing needs attention" in text_of(build_status_screen({}, [], {}))


def test_the_loop_shows_how_far_a_training_is() -> None:
    shown = text_of(build_loop_screen(STATUS, [AGENT], [JOB]))

    assert "━━━━━━━━┄┄┄┄┄┄┄┄ 50%" in shown
    assert "…0000abcd" in shown
    assert "no job yet" in text_of(build_loop_screen({}, [], []))


def test_a_job_shows_where_its_time_went() -> None:
    job = {
        "history": [
            {"state": "training", "reason": ""},
            {"state": "evaluating", "reason": "300 items"},
            {"state": "completed", "reason": "1.4.0 is deployed"},
        ],
        "stage_seconds": {"training": 90.0, "evaluating": 30.0},
    }

    training, evaluating, completed = text_of(build_stage_table(job)).splitlines()[1:]

    assert training.count("█") == 3 * evaluating.count("█") - 1 or training.count("█") == 22
    assert "1.5 min" in training
    assert "30.0 s" in evaluating
    assert "1.4.0 is deployed" in completed


def test_losses_are_drawn_of_the_newest_attempt() -> None:
    def curve(name: str, attempt: int, *values: float) -> dict[str, Any]:
        steps = list(range(len(values)))
        return {"name": name, "attempt": attempt, "steps": steps, "values": list(values)}

    curves = [
        curve("train/loss", 1, 9.0, 8.0),
        curve("train/loss", 2, 2.0, 1.0, 0.5),
        curve("train/loss_before", 2, 2.0),
        curve("train/loss_after", 2, 0.5),
    ]

    chart = draw_losses(curves, colours=False)

    assert "train/loss" in chart
    assert max(map(len, chart.splitlines())) <= 80
    assert describe_loss(curves) == "loss 2 -> 0.5"
    assert (draw_losses([], colours=False), describe_loss([])) == ("", "")


def test_durations_have_their_largest_unit() -> None:
    assert [format_seconds(each) for each in (0.05, 1.0, 61.0, 7200.0)] == [
        "50 ms",
        "1.0 s",
        "1.0 min",
        "2.0 h",
    ]
