"""The view holds the demo's progress; the terminal renders it."""

import pytest
from rich.console import Console
from rich.spinner import Spinner

from deploy.demo.progress_view import ProgressView, StageState
from deploy.demo.terminal import render, show_progress

ACCURACY = {"value": 0.75, "low": 0.7, "high": 0.8, "n": 100}


def rendered(view: ProgressView) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(render(view, Spinner("dots")))
    return capture.get()


def test_a_stage_is_timed_and_done_when_its_block_ends() -> None:
    view = ProgressView()

    with view.stage("start"):
        during = view.stages["start"].state

    assert (during, view.stages["start"].state) == (StageState.RUNNING, StageState.DONE)
    assert view.seconds()["start"] >= 0


def test_a_stage_that_raises_has_failed() -> None:
    view = ProgressView()

    with pytest.raises(ValueError, match="no"), view.stage("start"):
        raise ValueError("no")

    assert view.stages["start"].state is StageState.FAILED


def test_a_training_shows_its_progress_and_how_long_it_will_take() -> None:
    view = ProgressView()
    progress = {"step": 3, "total_steps": 9, "eta_seconds": 12.2, "loss": 0.5}

    view.follow({"state": "training", "progress": progress})

    assert "step 3 of 9" in rendered(view)
    assert "12 s left" in rendered(view)


def test_progress_is_gone_when_the_training_is_over() -> None:
    view = ProgressView()

    view.follow({"state": "evaluating", "progress": {"step": 9, "total_steps": 9}})

    assert "step 9 of 9" not in rendered(view)


def test_accuracy_and_memory_are_shown_as_they_come() -> None:
    view = ProgressView(memory_mb={"trainer": 812.4})

    view.set_accuracy("1.0.0", {"old": ACCURACY})

    assert "0.750 (0.700 to 0.800)" in rendered(view)
    assert "812" in rendered(view)


def test_without_a_terminal_each_change_prints_a_line() -> None:
    view, console = ProgressView(), Console(width=120, force_terminal=False)

    with (
        console.capture() as capture,
        show_progress(view, console, quiet=False),
        view.stage("start"),
    ):
        view.log("something happened")
        view.follow({"state": "planning"})

    lines = [line.strip() for line in capture.get().splitlines()]
    assert lines[1:3] == ["something happened", "job is planning"]
    assert lines[3].startswith("start database, broker and services: ")


def test_a_quiet_demo_prints_nothing() -> None:
    view, console = ProgressView(), Console(force_terminal=False)

    with console.capture() as capture, show_progress(view, console, quiet=True):
        view.log("something happened")

    assert capture.get() == ""
