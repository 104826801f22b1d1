"""Runs the demo: system, agent and scenario, with a progress view; writes the report."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from archon_contracts.formats import RunReport
from deploy.demo import client_log
from deploy.demo.agent_process import AgentFiles, AgentProcess
from deploy.demo.audit import audit_feedback
from deploy.demo.bfcl import load_benchmark
from deploy.demo.errors import DemoError
from deploy.demo.memory import PeakMemory
from deploy.demo.paths import demo_folder, system_folder
from deploy.demo.progress_view import ProgressView
from deploy.demo.report import ProcessObservations, Report, build_report, find_failed_checks
from deploy.demo.rollout.scenario import describe_canary, describe_rollback
from deploy.demo.router.scenario import ROUTER_ID, FastPathScenario
from deploy.demo.scenario import AGENT_ID, DemoResult, DemoScenario
from deploy.demo.terminal import build_accuracy_table, show_progress
from deploy.gateway_client import AsyncGatewayClient
from deploy.local.errors import AlreadyRunningError
from deploy.local.record import running
from deploy.local.runtime import Runtime
from deploy.local.servers.choice import EMBEDDED_BROKER_NOTICE
from deploy.local.settings import EMBEDDED, LocalSettings
from deploy.report_tables import build_topic_table
from deploy.waterfall import arrange, draw, read_spans

PAGE_FILE: Final = "changes.html"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What can be chosen. `quiet` shows nothing while the scenario runs."""

    seed: int = 0
    keep: bool = False
    quiet: bool = False
    broker: str | None = None
    database: str | None = None

    def servers(self) -> dict[str, Any]:
        """The servers that were chosen, as settings of the local system."""
        chosen = {"broker": self.broker, "database": self.database}
        return {name: value for name, value in chosen.items() if value}


async def run_demo(options: DemoOptions) -> dict[str, Any]:
    """Run the scenario on a fresh system and return the report.

    Raises:
        DemoError: the demo did not show what it should; the report, if it got so far, is written.
        LocalRuntimeError: the system did not start.
    """
    began, console, view = time.monotonic(), Console(quiet=options.quiet), ProgressView()
    data_dir = LocalSettings(**options.servers()).data_dir  # a misspelt choice ends here
    folder, system = demo_folder(data_dir), _make_empty(system_folder(data_dir))
    local = LocalSettings(data_dir=system, **options.servers())
    if local.broker == EMBEDDED:
        console.print(EMBEDDED_BROKER_NOTICE)
    async with AsyncExitStack() as stack:
        with show_progress(view, console, quiet=options.quiet):
            with view.stage("start"):
                runtime = await stack.enter_async_context(Runtime(local))
            print_dashboard(console, runtime.endpoints.gateway_url, local.api_key_path)
            result, report = await _run_scenario(runtime, view, options, folder, began)
        # Before the checks: a demo that shows something else leaves its report all the same.
        path = report.save(folder)
        page = folder / PAGE_FILE
        page.write_text(result.report_page, encoding="utf-8")
        _show(console, result, report, path)
        _show_changes(console, result, page, kept=options.keep)
        if options.keep:
            console.print("Everything keeps running: try `archon status`. Ctrl-C stops it.")
            await asyncio.Event().wait()
    if failures := find_failed_checks(report):
        raise DemoError(f"The demo did not show what it should: {'; '.join(failures)}.")
    return report.model_dump(mode="json")


def print_dashboard(console: Console, gateway_url: str, key: Path) -> None:
    """Say where the demo can be watched, and what to sign in with; the key itself is not shown."""
    line = f"Watch it at {gateway_url.rstrip('/')}/ and sign in with the key in {key}"
    # Not wrapped, so that the address can be clicked and the path copied.
    console.print(line, soft_wrap=True, markup=False, highlight=False)


async def _run_scenario(
    runtime: Runtime, view: ProgressView, options: DemoOptions, folder: Path, began: float
) -> tuple[DemoResult, Report]:
    with view.stage("benchmark"):
        benchmark = await asyncio.to_thread(load_benchmark, options.seed)
    files, router_files = AgentFiles.fresh(folder), AgentFiles.fresh(folder / ROUTER_ID)
    endpoints = runtime.endpoints
    async with (
        _agent_process(AGENT_ID, files, runtime) as agent,
        _agent_process(ROUTER_ID, router_files, runtime) as router,
        AsyncGatewayClient(endpoints.gateway_url, runtime.api_key) as gateway,
        _sample_memory(runtime, {"agent": agent, ROUTER_ID: router}, view) as memory,
    ):
        fast_path = FastPathScenario(gateway, router, router_files, view, benchmark)
        scenario = DemoScenario(
            gateway, agent, files, view, benchmark, fast_path, runtime.open_artifacts()
        )
        result = await scenario.run(seed=options.seed)
    sent = client_log.feedback_ids(result.answers)
    audit = await audit_feedback(endpoints.database_url, AGENT_ID, sent)
    restarts = {each.name: each.restarts for each in runtime.status() if each.restarts}
    watched = ProcessObservations(memory.peaks_mb, restarts)
    report = build_report(result, view, audit, seed=options.seed, began=began, watched=watched)
    return result, report


def _agent_process(agent_id: str, files: AgentFiles, runtime: Runtime) -> AgentProcess:
    return AgentProcess(
        agent_id, files, runtime.endpoints, runtime.api_key, trusted_key=runtime.public_key
    )


@asynccontextmanager
async def _sample_memory(
    runtime: Runtime, agents: Mapping[str, AgentProcess], view: ProgressView
) -> AsyncIterator[PeakMemory]:
    """Sample every process's memory while the block runs, and show the peaks."""

    def pids() -> dict[str, int | None]:
        parts = {process.name: process.pid for process in runtime.record.processes}
        return {**parts, **{name: agent.pid for name, agent in agents.items()}}

    memory = PeakMemory(pids)
    view.memory_mb = memory.peaks_mb
    task = asyncio.create_task(memory.watch())
    try:
        yield memory
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _show(console: Console, result: DemoResult, report: Report, path: Path) -> None:
    console.print(draw(arrange(read_spans(result.trace["spans"])), width=console.width))
    console.print(build_accuracy_table(report.accuracy))
    feedback = report.feedback
    console.print(
        f"feedback: {feedback.sent} sent, {feedback.stored} stored, {feedback.used} used once, "
        f"{feedback.lost} lost, {feedback.double} double"
    )
    console.print(f"{report.seconds['total']:.0f} s in all; the report is in {path}")


def _show_changes(console: Console, result: DemoResult, page: Path, *, kept: bool) -> None:
    """Both time-scales: the corrections that were followed at once, and the retrain's matrix."""
    for each in result.corrections:
        console.print(
            f"fast path: {each.answer_before!r} corrected to {each.topic!r}, followed after "
            f"{each.seconds:.1f} s by version {each.version}"
        )
    if result.canary is not None:
        console.print(describe_canary(result.canary), markup=False, highlight=False)
    if result.rollback is not None:
        console.print(describe_rollback(result.rollback), markup=False, highlight=False)
    console.print(build_topic_table(RunReport.model_validate(result.run_report)))
    console.print(f"what changed and why, as a page: {page}")
    if kept:
        console.print(f"or: archon models show {AGENT_ID} {result.retrain['version']}")
        if result.canary is not None:
            console.print(f"and: archon experiments show {result.canary.experiment_id}")


def _make_empty(folder: Path) -> Path:
    """An empty folder for the demo's system, unless an earlier demo still uses it."""
    if running(folder) is not None:
        raise AlreadyRunningError(folder)
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
