"""`archon evaluate`: run a suite; exits with 0 (passed), 1 (not passed) or 2 (not possible)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.errors import FAILED
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, shown, table
from deploy.cli.suite_runs import SuiteTarget, compare_with, run_suite_file

if TYPE_CHECKING:
    from archon_contracts.formats import GradingReport, SuiteReport

EXAMPLES = examples(
    "archon evaluate suite.yaml --agent tool-picker",
    "archon evaluate suite.yaml --agent tool-picker@1.2.0 --junit report.xml",
    "archon evaluate suite.yaml --agent ./model-folder --html report.html --before old.json",
    "archon evaluate suite.yaml --agent http://127.0.0.1:8000/v1 --model smollm2 --json",
    "archon evaluate suite.yaml --agent tool-picker --grader http://127.0.0.1:8000/v1",
)


def evaluate(
    suite: Annotated[Path, typer.Argument(help="YAML file of the suite, or its folder.")],
    agent: Annotated[
        str,
        typer.Option(
            help="Agent whose deployed version is asked (NAME, or NAME@VERSION), a model's folder, "
            "or the URL of an OpenAI-compatible endpoint; its key is ARCHON_AGENT_API_KEY."
        ),
    ],
    model: Annotated[str, typer.Option(help="Model to name to an endpoint.")] = "",
    junit: Annotated[
        Path | None, typer.Option(help="Write a JUnit file here.", dir_okay=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the report here, as one page.", dir_okay=False)
    ] = None,
    before: Annotated[
        Path | None,
        typer.Option(
            help="JSON report of an earlier run of the suite: show what moved since.",
            dir_okay=False,
        ),
    ] = None,
    grader: Annotated[
        str,
        typer.Option(
            help="URL of an OpenAI-compatible endpoint that grades the answers, where the suite "
            "says how; its key is ARCHON_GRADER_API_KEY."
        ),
    ] = "",
    grader_model: Annotated[str, typer.Option(help="Model to name to the grader.")] = "",
    grader_replies: Annotated[
        Path | None,
        typer.Option(help="Keep its replies here: none is paid for twice.", dir_okay=False),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="CPU threads of a model.")] = 1,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Run a suite's cases on an agent; exits with 0 (passed), 1 (not) or 2 (not possible)."""
    target = SuiteTarget(agent, model, threads, url, api_key, grader, grader_model, grader_replies)
    report = run_suite_file(suite, target)
    if before:
        report = compare_with(report, before)
    if junit:
        from services.evaluator.suites.outputs.junit import to_junit

        junit.write_text(to_junit(report), encoding="utf-8")
    if html:
        from services.evaluator.suites.outputs.page import render_suite_page

        html.write_text(render_suite_page(report), encoding="utf-8")
    if as_json:
        print(report.model_dump_json(indent=2))
    else:
        _print(report)
    raise typer.Exit(0 if report.passed else FAILED)


def describe_grading(found: GradingReport) -> str:
    """How many answers were graded, and how far the grades can be believed."""
    parts = [f"graded {found.graded} of {found.graded + found.ungraded} by {shown(found.grader)}"]
    if found.noise is not None:
        parts.append(f"noise {found.noise:.3f}")
    if found.position_flips is not None:
        parts.append(f"winner changes with the order in {found.position_flips.value:.0%}")
    if found.agreement is not None:
        kappa = found.agreement.kappa
        value = "not defined" if kappa is None else f"{kappa:.2f}"
        parts.append(f"kappa with people {value} (n = {found.agreement.items})")
    if found.cost is not None:
        parts.append(f"cost {found.cost:.4g}")
    parts += [shown(each) for each in (found.stopped, found.problem) if each]
    return "; ".join(parts)


def _print(report: SuiteReport) -> None:
    rows = (
        (
            each.name,
            each.group,
            f"{each.estimate.value:.4g}",
            f"{each.estimate.low:.4g} to {each.estimate.high:.4g}",
            each.estimate.n,
            each.unscored or "",
        )
        for each in report.metrics
        # Classes and groups are in the other forms of the report.
        if each.group == "all"
    )
    headers = ("metric", "group", "figure", "95 % interval", "n", "unscored")
    console.print(table(f"{report.suite} on {report.agent}", headers, rows))
    if moves := report.products.moves:
        console.print(
            f"since {shown(moves.since)}: {moves.corrected} corrected, {moves.broken} broken"
        )
    if report.grading:
        console.print(describe_grading(report.grading))
    for reason in report.reasons:
        console.print(f"[{'green' if report.passed else 'red'}]{shown(reason)}[/]")
    conclusion = "passed" if report.passed else "not passed"
    console.print(f"{conclusion}: {report.answers} answers in {report.seconds:.1f} s")
