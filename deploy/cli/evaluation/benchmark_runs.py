"""`archon benchmarks`: a benchmark or validation that was started, and its end before time."""

from typing import Annotated, Final

import typer

from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, shown
from deploy.cli.sending import send_command
from deploy.cli.target import connect

group: Final = typer.Typer(help="Show and cancel benchmarks and validations.", no_args_is_help=True)
BenchmarkId = Annotated[
    str, typer.Argument(help="Id, as `archon benchmark` and `archon validate` print it.")
]


@group.command(epilog=examples("archon benchmarks show 01939b1e-..."))
def show(
    benchmark: BenchmarkId, url: Url = None, api_key: ApiKey = None, as_json: Json = False
) -> None:
    """Show how far a benchmark or validation is, or how it ended."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/benchmarks/{benchmark}")
    if as_json:
        print_json(found)
        return
    console.print(f"{shown(found['mode'])} of {shown(found['agent_id'])}: {shown(found['state'])}")
    if progress := found.get("progress"):
        console.print(f"{progress['answered']} of {progress['total']} requests answered")
    outcome = found.get("result") or found.get("failure") or {}
    for reason in outcome.get("reasons", [outcome["reason"]] if "reason" in outcome else []):
        console.print(shown(reason))


@group.command(epilog=examples("archon benchmarks cancel 01939b1e-... --reason 'wrong suite'"))
def cancel(
    benchmark: BenchmarkId,
    reason: Annotated[str, typer.Option(help="Why.")] = "cancelled by request",
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Cancel a benchmark or validation that has not ended; what it answered is dropped."""
    path = f"/v1/benchmarks/{benchmark}/cancel"
    done = f"benchmark {shown(benchmark)} is being cancelled"
    send_command(url, api_key, path, {"reason": reason}, done=done, as_json=as_json)
