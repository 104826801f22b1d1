"""`archon synthetic`: make items, follow that, and stop it."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn

from archon_contracts.commands import EdgeCaseFamily, SynthesisMethod
from deploy.cli.errors import FAILED, CommandError
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, plain_table, print_json, shown
from deploy.cli.sending import send_command
from deploy.cli.target import connect
from deploy.gateway_client import GatewayClient

POLL_SECONDS = 1.0
MOST_REASONS = 8

group = typer.Typer(help="Make synthetic items, and stop that.", no_args_is_help=True)
RequestId = Annotated[str, typer.Argument(help="Id of the request, as `generate` shows it.")]


@group.command(
    epilog=examples(
        "archon synthetic generate customer-support --count 1000 --edge-cases --diversity 0.8",
        "archon synthetic generate bank --agent desk --examples few --method mutation --method llm",
    )
)
def generate(
    scenario: Annotated[str, typer.Argument(help="Scenario type: a domain, or any name.")],
    count: Annotated[int, typer.Option(min=1, max=100_000, help="Items to make.")] = 100,
    agent: Annotated[str | None, typer.Option(help="Agent that the items are for.")] = None,
    difficulty: Annotated[str, typer.Option(help="easy, medium or hard.")] = "medium",
    edge_cases: Annotated[bool, typer.Option(help="A quarter of them awkward.")] = False,
    edge_case: Annotated[
        list[EdgeCaseFamily] | None, typer.Option(help="Only this family; may be repeated.")
    ] = None,
    diversity: Annotated[float, typer.Option(min=0, max=1, help="How different they are.")] = 0.5,
    data: Annotated[
        str | None, typer.Option("--examples", help="Dataset whose items are varied.")
    ] = None,
    method: Annotated[
        list[SynthesisMethod] | None, typer.Option(help="May be repeated; else the usual one.")
    ] = None,
    privacy_distance: Annotated[
        float, typer.Option(min=0, max=1, help="Least cosine distance to each example.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Equal requests give equal items.")] = 0,
    timeout: Annotated[float, typer.Option(min=1, help="Longest wait, in seconds.")] = 3600,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Make items and wait for them; exits with 1 when there are none."""
    body = {
        "scenarioType": scenario,
        "count": count,
        "agentId": agent,
        "difficulty": difficulty,
        "edgeCases": edge_cases,
        "edgeCaseFamilies": [each.value for each in edge_case or ()],
        "diversity": diversity,
        "examples": data,
        "methods": [each.value for each in method or ()],
        "privacyDistance": privacy_distance,
        "seed": seed,
    }
    stated = {name: value for name, value in body.items() if value is not None}
    with connect(url, api_key) as gateway:
        started = gateway.post("/v1/functions/generateSyntheticTrainingData", stated)
        found = _follow(gateway, started["result"], count, timeout, quiet=as_json)
    if as_json:
        print_json(found)
    else:
        _print(found)
    raise typer.Exit(0 if found.get("items") else FAILED)


@group.command(epilog=examples("archon synthetic cancel 01939b1e-... --reason 'too many'"))
def cancel(
    request: RequestId,
    reason: Annotated[str, typer.Option(help="Why.")] = "cancelled by request",
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Stop a request that has no result yet; what it had made is deleted."""
    path = f"/v1/synthetic/{request}/cancel"
    done = f"request {shown(request)} is being cancelled"
    send_command(url, api_key, path, {"reason": reason}, done=done, as_json=as_json)


def _follow(
    gateway: GatewayClient, path: str, count: int, timeout: float, *, quiet: bool
) -> dict[str, Any]:
    """The request once it has ended, with a bar until then.

    Raises:
        CommandError: it has not ended in time; the work goes on.
    """
    end = time.monotonic() + timeout
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}"))
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        bar = progress.add_task(path.rpartition("/")[2], total=count)
        while True:
            found: dict[str, Any] = gateway.get(path)
            if found["state"] in ("ready", "cancelled"):
                return found
            progress.update(bar, completed=(found.get("progress") or {}).get("accepted", 0))
            if time.monotonic() > end:
                raise CommandError(
                    f"It has not ended in {timeout:g} s and goes on: look at {path}, or name a "
                    "longer --timeout."
                )
            time.sleep(POLL_SECONDS)


def _print(found: dict[str, Any]) -> None:
    if found["state"] == "cancelled":
        console.print(f"[red]cancelled[/red]: {shown(found['reason'])}")
        return
    console.print(f"{found['items']} items; dataset {shown(found.get('dataset') or 'none')}")
    if found.get("shortfall"):
        console.print(f"[yellow]{shown(found['shortfall'])}[/yellow]")
    rejected = sorted((found.get("rejected") or {}).items(), key=lambda each: -each[1])
    if rejected:
        console.print(plain_table(("turned down", "candidates"), rejected[:MOST_REASONS]))
    quality = found.get("quality") or {}
    figures = {name: value for name, value in quality.items() if isinstance(value, float)}
    figures |= {
        name: value for name, value in (quality.get("privacy") or {}).items() if value is not None
    }
    rows = [(name.replace("_", " "), f"{value:.4g}") for name, value in figures.items()]
    if rows:
        console.print(plain_table(("figure", "value"), rows))
