"""Runs the demo: the system and the agent around the story, the view above it, the report after."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.demo import client_log as ledger
from deploy.demo.agent_process import AgentFiles, AgentProcess
from deploy.demo.audit import audit_feedback
from deploy.demo.bfcl import load_benchmark
from deploy.demo.errors import StoryError
from deploy.demo.memory import PeakMemory
from deploy.demo.paths import demo_folder, system_folder
from deploy.demo.progress_view import Board
from deploy.demo.report import Report, Watched, build_report, unfulfilled
from deploy.demo.scenario import AGENT_ID, Story, Told
from deploy.demo.terminal import accuracy_table, shown
from deploy.gateway_client import AsyncGateway
from deploy.local.errors import AlreadyRunningError
from deploy.local.record import running
from deploy.local.runtime import Runtime
from deploy.local.settings import LocalSettings
from deploy.waterfall import arrange, draw, read_spans


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What can be chosen. `quiet` shows nothing while the story runs."""

    seed: int = 0
    keep: bool = False
    quiet: bool = False


async def run_demo(options: DemoOptions) -> dict[str, Any]:
    """Tell the story on a fresh system and return the report.

    Raises:
        StoryError: the story did not come true; the report, if it got so far, is written.
        LocalRuntimeError: the system did not start.
    """
    began, console, board = time.monotonic(), Console(quiet=options.quiet), Board()
    data_dir = LocalSettings().data_dir
    folder, system = demo_folder(data_dir), _emptied(system_folder(data_dir))
    async with AsyncExitStack() as stack:
        with shown(board, console, quiet=options.quiet):
            with board.stage("start"):
                runtime = await stack.enter_async_context(Runtime(LocalSettings(data_dir=system)))
            told, report = await _tell(runtime, board, options, folder, began)
        path = report.save(folder)
        _show(console, told, report, path)
        if options.keep:
            console.print("Everything keeps running: try `archon status`. Ctrl-C stops it.")
            await asyncio.Event().wait()
    if failures := unfulfilled(report):
        raise StoryError(f"The story did not come true: {'; '.join(failures)}.")
    return report.model_dump(mode="json")


async def _tell(
    runtime: Runtime, board: Board, options: DemoOptions, folder: Path, began: float
) -> tuple[Told, Report]:
    with board.stage("benchmark"):
        benchmark = await asyncio.to_thread(load_benchmark, options.seed)
    files, endpoints = AgentFiles.fresh(folder), runtime.endpoints
    async with (
        AgentProcess(
            AGENT_ID, files, endpoints, runtime.api_key, trusted_key=runtime.public_key
        ) as agent,
        AsyncGateway(endpoints.gateway_url, runtime.api_key) as gateway,
        _measured(runtime, agent, board) as memory,
    ):
        story = Story(gateway, agent, files, board, benchmark)
        told = await story.tell(seed=options.seed)
    sent = ledger.feedback_ids(told.answers)
    audit = await audit_feedback(endpoints.database_url, AGENT_ID, sent)
    restarts = {each.name: each.restarts for each in runtime.status() if each.restarts}
    watched = Watched(memory.peaks_mb, restarts)
    report = build_report(told, board, audit, seed=options.seed, began=began, watched=watched)
    return told, report


@asynccontextmanager
async def _measured(
    runtime: Runtime, agent: AgentProcess, board: Board
) -> AsyncIterator[PeakMemory]:
    """Sample every process's memory while the block runs, and show the peaks."""

    def pids() -> dict[str, int | None]:
        parts = {process.name: process.pid for process in runtime.record.processes}
        return {**parts, "agent": agent.pid}

    memory = PeakMemory(pids)
    board.memory_mb = memory.peaks_mb
    task = asyncio.create_task(memory.watch())
    try:
        yield memory
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _show(console: Console, told: Told, report: Report, path: Path) -> None:
    console.print(draw(arrange(read_spans(told.trace["spans"])), width=console.width))
    console.print(accuracy_table(report.accuracy))
    feedback = report.feedback
    console.print(
        f"feedback: {feedback.sent} sent, {feedback.stored} stored, {feedback.used} used once, "
        f"{feedback.lost} lost, {feedback.double} double"
    )
    console.print(f"{report.seconds['total']:.0f} s in all; the report is in {path}")


def _emptied(folder: Path) -> Path:
    """An empty folder for the demo's system, unless an earlier demo still uses it."""
    if running(folder) is not None:
        raise AlreadyRunningError(folder)
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
