"""`archon jobs`: list, look at, follow and stop trainings."""

import time
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn

from archon_contracts.events import JobState
from archon_contracts.metric_names import ACCURACY, RECALL
from archon_contracts.values import ALL_ITEMS
from deploy.cli.errors import FAILED, CommandError
from deploy.cli.model_exchange import reproduce
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import (
    ago,
    coloured,
    console,
    estimate,
    plain_table,
    print_json,
    print_state,
    shown,
    table,
)
from deploy.cli.run_reports import ReportFile, announce, write_page
from deploy.cli.screens.job import LOSSES, build_stage_table, describe_loss, draw_losses
from deploy.cli.sending import send_command
from deploy.cli.target import connect
from deploy.gateway_client import GatewayClient

POLL_SECONDS = 0.5
MOST_GROUPS = 10

group = typer.Typer(help="List, show, watch and cancel jobs.", no_args_is_help=True)
JobId = Annotated[str, typer.Argument(help="Job id, as `archon jobs list` shows it.")]


@group.command("list", epilog=examples("archon jobs list --agent tool-picker --state training"))
def list_jobs(
    agent: Annotated[str | None, typer.Option(help="Only jobs of this agent.")] = None,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 100,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    with connect(url, api_key) as gateway:
        found = gateway.items("/v1/jobs", most=limit, agent_id=agent, state=state)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            job["job_id"],
            job["agent_id"],
            coloured(job["state"]),
            job.get("version"),
            ago(job["created_at"]),
        )
        for job in found
    )
    columns = ("job", "agent", "state", "version", "asked for")
    console.print(plain_table(columns, rows))


@group.command(
    epilog=examples(
        "archon jobs show 01939b1e-...", "archon jobs show 01939b1e-... --report refused.html"
    )
)
def show(
    job: JobId,
    report: ReportFile = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show a job: its stages with reasons, its loss, its evaluation."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/jobs/{job}")
        curves = [] if as_json else gateway.get(f"/v1/jobs/{job}/curves", name=LOSSES)["items"]
        if report:
            write_page(gateway, f"/v1/jobs/{job}/report.html", report)
    if as_json:
        print_json(found)
        return
    agent, method = shown(found["agent_id"]), shown(found["method"])
    console.print(f"job [bold]{shown(found['job_id'])}[/bold] of {agent}, {method}")
    print_state(found)
    console.print(build_stage_table(found))
    if losses := describe_loss(curves):
        console.print(losses)
    if chart := draw_losses(curves, colours=console.is_terminal):
        print(chart)
    _show_evaluation(found.get("evaluation"))
    _show_learning(found.get("learning"))
    if report:
        announce(report)


@group.command(epilog=examples("archon jobs cancel 01939b1e-... --reason 'wrong dataset'"))
def cancel(
    job: JobId,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "asked for",
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Stop a job wherever it stands."""
    path, done = f"/v1/jobs/{job}/cancel", f"cancelling job {shown(job)}"
    send_command(url, api_key, path, {"reason": reason}, done=done, as_json=as_json)


@group.command("return", epilog=examples("archon jobs return 01939b1e-... --reason 'fixed it'"))
def return_feedback(
    job: JobId,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "asked for",
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Make the feedback of a job that gave no deployed version new data again."""
    path, done = f"/v1/jobs/{job}/return-feedback", f"giving the feedback of job {shown(job)} back"
    send_command(url, api_key, path, {"reason": reason}, done=done, as_json=as_json)


@group.command("rerun", epilog=examples("archon jobs rerun 01939b1e-..."))
def rerun(
    job: JobId,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; absent: as the trainer's default.")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Train a job's version again and compare the digests; exit code 1: they differ.

    As `archon models reproduce` does; nothing of the job or its version changes.
    """
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/jobs/{job}")
    if not found.get("version"):
        raise CommandError(
            f"job {shown(job)} is {found['state']} and gave no version: there is nothing to "
            "compare with; start it anew with the same dataset"
        )
    reproduce(found["agent_id"], found["version"], threads, url, api_key, as_json)


@group.command(epilog=examples("archon jobs watch 01939b1e-..."))
def watch(job: JobId, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Follow a job to its end; the exit code is 1 when it did not complete."""
    with connect(url, api_key) as gateway:
        found = _follow(gateway, job, quiet=as_json)
    if as_json:
        print_json(found)
    else:
        print_state(found)
    if found["state"] != "completed":
        raise typer.Exit(FAILED)


def _follow(gateway: GatewayClient, job: str, *, quiet: bool) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[eta]}"))
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task("requested", total=None, eta="")
        while True:
            found: dict[str, Any] = gateway.get(f"/v1/jobs/{job}")
            steps = found.get("progress") or {}
            progress.update(
                task,
                description=shown(found["state"]),
                completed=steps.get("step", 0),
                total=steps.get("total_steps"),
                eta=eta(steps),
            )
            if JobState(found["state"]).is_final:
                return found
            time.sleep(POLL_SECONDS)


def eta(progress: dict[str, Any]) -> str:
    """How far a training is, and how long it will still take."""
    if not progress.get("total_steps"):
        return ""
    left = progress.get("eta_seconds")
    done = f"step {progress.get('step', 0)} of {progress['total_steps']}"
    return done if left is None else f"{done}, {left:.0f} s left"


def _show_evaluation(evaluation: dict[str, Any] | None) -> None:
    if not evaluation:
        return
    accuracy = evaluation[ACCURACY]
    # A row for each group: a suite may have hundreds, and a terminal has 80 columns.
    groups = sorted({group for scores in accuracy.values() for group in scores} - {ALL_ITEMS})
    rows = (
        (group, *(estimate(scores.get(group)) for scores in accuracy.values()))
        for group in (ALL_ITEMS, *groups[:MOST_GROUPS])
    )
    console.print(table(ACCURACY, ("group", *accuracy), rows))
    if len(groups) > MOST_GROUPS:
        console.print(f"  and {len(groups) - MOST_GROUPS} more groups: --report FILE has all")
    _show_recall(evaluation.get("results", ()))
    for reason in evaluation.get("reasons", ()):
        console.print(f"  {shown(reason)}")


def _show_recall(results: Iterable[dict[str, Any]]) -> None:
    """The classes that the candidate answers worst, beside what the other model makes of them."""
    found: dict[str, dict[str, Any]] = {}
    for result in results:
        if result["name"] == RECALL:
            found.setdefault(result["group"], {})[result["model"]] = result["estimate"]
    if not found:
        return
    models = list(dict.fromkeys(model for scores in found.values() for model in scores))
    rows = ((name, *(estimate(scores.get(m)) for m in models)) for name, scores in found.items())
    console.print(table("recall of the worst classes", ("class", *models), rows))


def _show_learning(report: dict[str, Any] | None) -> None:
    """Whether the run learnt something, and the signals of it."""
    if report:
        console.print(f"learnt: {'yes' if report['learnt'] else 'no'}")
        for reason in report.get("reasons", ()):
            console.print(f"  {shown(reason)}")
