"""What a benchmark's child process does: load each version, run each suite on it, compare.

The service imports this module for its names, so torch and scipy are imported inside functions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from archon_contracts.commands import RunBenchmark
from archon_contracts.events import BenchmarkDifference, BenchmarkedSuite, BenchmarkMode, ModelCheck
from archon_contracts.values import ALL_ITEMS, AgentKind
from services.evaluator.errors import AgentUnusable

if TYPE_CHECKING:
    from archon_contracts.formats import SuiteReport
    from services.evaluator.suites.agents.model_agent import ModelAgent
    from services.evaluator.suites.grading.grader import Grader
    from services.evaluator.suites.suite_model import Suite

BENCHMARK_ENTRY: Final = "services.evaluator.benchmarks.child:run"
GUARDRAILS: Final = Path(__file__).parents[1] / "suites" / "guardrails.yaml"
GOLDEN_SUITE: Final = "golden items"
SHOWN_REASONS: Final = 10
SHOWN_DIFFERENCES: Final = 200

Report = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Progress:
    """How many requests of all versions and suites are answered."""

    report: Report
    total: int = 0
    before: int = 0
    place: dict[str, str] = field(default_factory=dict)

    def begin(self, version: str, suite: str) -> None:
        """The next suite begins."""
        self.place = {"version": version, "suite": suite}
        self.update(0)

    def update(self, answered: int) -> None:
        """So many requests of this suite are answered."""
        event = {"event": "progress", "answered": self.before + answered, "total": self.total}
        self.report({**event, **self.place})


def run(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """The results of the spec's command, as fields of `BenchmarkCompleted`.

    `spec` has `command`, `folders` (version -> folder), `suites` (name -> folder), `golden`,
    `output_dir`, `threads` and `device`. Reports are written into the output folder.

    Raises:
        SuiteInvalid, EmptySuite: a suite cannot be used.
        AgentUnusable: a version cannot be loaded; of a validation that is a check that failed.
    """
    command = RunBenchmark.model_validate(spec["command"])
    suites = _load_suites(command, spec)
    grader = _build_grader(spec)
    progress = Progress(report, total=_count_requests(suites) * len(command.versions))
    found: dict[str, list[SuiteReport]] = {}
    results: list[BenchmarkedSuite] = []
    control = command.versions[0].model.version
    checks: list[ModelCheck] = []
    for number, each in enumerate(command.versions):
        version = each.model.version
        try:
            agent, seconds = _load(version, spec)
        except AgentUnusable as error:
            if command.mode is BenchmarkMode.VALIDATION:
                checks.append(ModelCheck(name="loads", passed=False, detail=str(error)))
                break
            raise
        loaded = ModelCheck(name="loads", passed=True, detail=f"in {seconds:.1f} s")
        reports = _run_suites(command, number, agent, suites, progress, grader)
        found[version] = _add_moves(reports, found.get(control, ()))
        results += [_summarise(version, number, n, r) for n, r in enumerate(found[version])]
        _write(Path(spec["output_dir"]), number, found[version])
        if command.mode is BenchmarkMode.VALIDATION:
            checks = [loaded, *_check(command, spec, agent, found[version])]
    differences = _compare(command, found)
    return {
        "results": [each.model_dump(mode="json") for each in results],
        "differences": [each.model_dump(mode="json") for each in differences],
        "checks": [each.model_dump(mode="json") for each in checks],
        "replies": grader.new if grader else {},
    }


def _build_grader(spec: Mapping[str, Any]) -> Grader | None:
    """The grader that the operator names; None: suites that want one are not graded."""
    endpoint = spec.get("grader")
    if not endpoint:
        return None
    from services.evaluator.suites.grading.grader import Grader, build_endpoint

    return Grader(
        build_endpoint(endpoint["url"], endpoint["model"], endpoint["api_key"]), endpoint["known"]
    )


def _load_suites(command: RunBenchmark, spec: Mapping[str, Any]) -> list[tuple[Suite, str]]:
    from services.evaluator.suites.suite_file import load_suite_folder
    from services.evaluator.suites.suite_model import Threshold

    match: Literal["exact", "text"] = "text" if command.kind is AgentKind.GENERATOR else "exact"
    loaded = [
        load_suite_folder(Path(folder), name, match=match)
        for name, folder in spec["suites"].items()
    ]
    asked = tuple(Threshold(**each.model_dump(exclude_none=True)) for each in command.thresholds)
    suites = [
        (
            suite.model_copy(
                update={
                    "thresholds": suite.thresholds + asked,
                    "repeats": max(suite.repeats, command.repeats),
                }
            ),
            digest,
        )
        for suite, digest in loaded
    ]
    if spec.get("golden"):
        golden = load_suite_folder(Path(spec["golden"]), GOLDEN_SUITE, match=match)
        suites.append(golden)
    return suites


def _count_requests(suites: Sequence[tuple[Suite, str]]) -> int:
    from services.evaluator.suites.case_scoring import build_requests

    return sum(len(build_requests(suite)) for suite, _ in suites)


def _load(version: str, spec: Mapping[str, Any]) -> tuple[ModelAgent, float]:
    import torch

    from archon_inference.devices import claim_device
    from services.evaluator.suites.agents.model_agent import ModelAgent

    threads = int(spec.get("threads", 1))
    # Left alone, torch would start a thread on each core of a machine that it shares.
    torch.set_num_threads(threads)
    started = time.perf_counter()
    device = claim_device(str(spec.get("device", "cpu")))
    agent = ModelAgent.load(version, Path(spec["folders"][version]), threads=threads, device=device)
    return agent, time.perf_counter() - started


def _run_suites(
    command: RunBenchmark,
    number: int,
    agent: ModelAgent,
    suites: Sequence[tuple[Suite, str]],
    progress: Progress,
    grader: Grader | None,
) -> list[SuiteReport]:
    from services.evaluator.metrics.discovery import find_metrics
    from services.evaluator.suites.running import run_suite

    reports = []
    for suite, digest in suites:
        progress.begin(agent.name, suite.suite)
        report = run_suite(
            suite,
            agent,
            find_metrics(),
            digest=digest,
            has_classes=command.kind is not AgentKind.GENERATOR,
            feedback=command.versions[number].feedback,
            progress=progress.update,
            grader=grader,
        )
        progress.before += report.answers
        reports.append(report)
    return reports


def _add_moves(reports: list[SuiteReport], before: Sequence[SuiteReport]) -> list[SuiteReport]:
    """The reports with what moved since the first version's, which itself has none before it."""
    from services.evaluator.suites.moves import add_moves

    if not before:
        return reports
    return [add_moves(now, then) for now, then in zip(reports, before, strict=True)]


def _check(
    command: RunBenchmark,
    spec: Mapping[str, Any],
    agent: ModelAgent,
    reports: Sequence[SuiteReport],
) -> list[ModelCheck]:
    from services.evaluator.benchmarks.validation import (
        check_golden,
        check_latency,
        check_metrics,
        check_safety,
    )

    golden = [report for report in reports if report.suite == GOLDEN_SUITE]
    ids = {*command.golden_ids, *(each.id for report in golden for each in report.results)}
    suites = [report for report in reports if report.suite != GOLDEN_SUITE]
    answers = None if command.kind is AgentKind.GENERATOR else agent.fixed_answers()
    return [
        check_golden(reports, ids),
        check_metrics(suites),
        check_safety(_run_guardrails(command, agent), answers),
        check_latency(reports, command.latency_limit_seconds),
    ]


def _run_guardrails(command: RunBenchmark, agent: ModelAgent) -> SuiteReport | None:
    from services.evaluator.metrics.discovery import own_metrics
    from services.evaluator.suites.running import run_suite
    from services.evaluator.suites.suite_file import load_suite

    if command.kind is not AgentKind.GENERATOR:
        return None
    suite, digest = load_suite(GUARDRAILS)
    return run_suite(suite, agent, own_metrics(), digest=digest, has_classes=False)


def _summarise(version: str, number: int, place: int, report: SuiteReport) -> BenchmarkedSuite:
    return BenchmarkedSuite(
        version=version,
        suite=report.suite,
        passed=report.passed,
        reasons=report.reasons[:SHOWN_REASONS],
        answers=report.answers,
        errors=report.errors,
        metrics=tuple(each for each in report.metrics if each.group == ALL_ITEMS),
        unmeasured=len(report.unmeasured),
        cost=report.cost,
        seconds=report.seconds,
        report_file=f"{name_report(number, place)}.json",
    )


def name_report(version: int, suite: int) -> str:
    """The file of a result, without its ending: versions and suites are numbered as asked for."""
    return f"version-{version + 1}-suite-{suite + 1}"


def _write(folder: Path, number: int, reports: Sequence[SuiteReport]) -> None:
    from services.evaluator.suites.outputs.page import render_suite_page

    for place, report in enumerate(reports):
        name = name_report(number, place)
        (folder / f"{name}.json").write_text(report.model_dump_json())
        (folder / f"{name}.html").write_text(render_suite_page(report))


def _compare(
    command: RunBenchmark, reports: Mapping[str, Sequence[SuiteReport]]
) -> list[BenchmarkDifference]:
    """Each version beside the first, suite by suite; those that differ most surely first."""
    if len(reports) < 2:
        return []
    from services.evaluator.benchmarks.differences import compare_answers

    control = command.versions[0].model.version
    found = [
        BenchmarkDifference(
            suite=report.suite,
            metric=each.metric,
            group=each.group,
            version=version,
            control=control,
            difference=each.estimate,
            p_value=each.p_value,
            adjusted_p_value=each.adjusted_p_value,
            higher_is_better=each.higher_is_better,
        )
        for version, its in reports.items()
        if version != control
        for report, other in zip(its, reports[control], strict=True)
        for each in compare_answers(report.results, other.results)
    ]
    return sorted(found, key=lambda each: each.adjusted_p_value)[:SHOWN_DIFFERENCES]
