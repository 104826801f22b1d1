"""The board keeps what is shown, and the view draws it."""

import pytest
from rich.console import Console
from rich.spinner import Spinner

from deploy.demo.progress_view import Board, StageState
from deploy.demo.terminal import render, shown

SHARE = {"value": 0.75, "low": 0.7, "high": 0.8, "n": 100}


def drawn(board: Board) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(render(board, Spinner("dots")))
    return capture.get()


def test_a_stage_is_timed_and_done_when_its_block_ends() -> None:
    board = Board()

    with board.stage("start"):
        during = board.stages["start"].state

    assert (during, board.stages["start"].state) == (StageState.RUNNING, StageState.DONE)
    assert board.seconds()["start"] >= 0


def test_a_stage_that_raises_has_failed() -> None:
    board = Board()

    with pytest.raises(ValueError, match="no"), board.stage("start"):
        raise ValueError("no")

    assert board.stages["start"].state is StageState.FAILED


def test_a_training_shows_its_progress_and_how_long_it_will_take() -> None:
    board = Board()
    progress = {"step": 3, "total_steps": 9, "eta_seconds": 12.2, "loss": 0.5}

    board.follow({"state": "training", "progress": progress})

    assert "step 3 of 9" in drawn(board)
    assert "12 s left" in drawn(board)


def test_progress_is_gone_when_the_training_is_over() -> None:
    board = Board()

    board.follow({"state": "evaluating", "progress": {"step": 9, "total_steps": 9}})

    assert "step 9 of 9" not in drawn(board)


def test_accuracy_and_memory_are_shown_as_they_come() -> None:
    board = Board(memory_mb={"trainer": 812.4})

    board.score("1.0.0", {"old": SHARE})

    assert "0.750 (0.700 to 0.800)" in drawn(board)
    assert "812" in drawn(board)


def test_without_a_terminal_every_change_is_a_line() -> None:
    board, console = Board(), Console(width=120, force_terminal=False)

    with console.capture() as capture, shown(board, console, quiet=False), board.stage("start"):
        board.say("something happened")
        board.follow({"state": "planning"})

    lines = [line.strip() for line in capture.get().splitlines()]
    assert lines[1:3] == ["something happened", "job is planning"]
    assert lines[3].startswith("start database, broker and services: ")


def test_a_quiet_demo_says_nothing() -> None:
    board, console = Board(), Console(force_terminal=False)

    with console.capture() as capture, shown(board, console, quiet=True):
        board.say("something happened")

    assert capture.get() == ""
