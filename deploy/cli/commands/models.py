"""`archon models`: the versions of an agent, and which one is deployed."""

from typing import Annotated, Any

import typer

from archon_contracts.metric_names import ACCURACY
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import coloured, console, estimate, print_json, shown, table
from deploy.cli.run_reports import ReportFile, announce, print_report, write_page
from deploy.cli.sending import send_command
from deploy.cli.target import connect

group = typer.Typer(
    help="List, show and compare model versions; deploy one, or roll back.", no_args_is_help=True
)
Agent = Annotated[str, typer.Argument(help="Agent, such as tool-picker.")]
Version = Annotated[str, typer.Argument(help="Version, such as 1.1.0.")]
DEPLOYMENT = ("from", "version", "action", "before", "by", "why", "digest")
"""Columns of a deployment."""
Reason = Annotated[str, typer.Option(help="Why, for the record.")]


@group.command("list", epilog=examples("archon models list tool-picker"))
def list_models(
    agent: Agent, url: Url = None, api_key: ApiKey = None, as_json: Json = False
) -> None:
    """List an agent's versions."""
    with connect(url, api_key) as gateway:
        found = gateway.items(f"/v1/agents/{agent}/models")
    if as_json:
        print_json(found)
        return
    rows = (
        (
            model["version"],
            coloured(model["status"]),
            model["digest"][:12],
            _accuracy(model),
            str(model.get("withdrawn_items") or ""),
        )
        for model in found
    )
    headers = ("version", "status", "digest", ACCURACY, "retracted items held")
    console.print(table(f"models of {agent}", headers, rows))


@group.command(
    epilog=examples(
        "archon models show tool-picker 1.1.0",
        "archon models show tool-picker 1.1.0 --report changed.html",
    )
)
def show(
    agent: Agent,
    version: Version,
    report: ReportFile = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show a version: where it lies, what it was made from, what it changed and why."""
    path = f"/v1/agents/{agent}/models/{version}"
    with connect(url, api_key) as gateway:
        found = gateway.get(path)
        # A version whose registration has not arrived yet has no run that is known.
        has_run = (found.get("lineage") or {}).get("job_id") is not None
        changed = gateway.get(f"{path}/report") if has_run else None
        if report:
            write_page(gateway, f"{path}/report.html", report)
    if as_json:
        print_json(found | {"report": changed})
        return
    plain = {name: value for name, value in found.items() if not isinstance(value, dict)}
    console.print(table(f"{agent} {version}", ("what", "value"), plain.items()))
    console.print(table("lineage", ("what", "value"), (found.get("lineage") or {}).items()))
    metrics = ((name, estimate(value)) for name, value in (found.get("metrics") or {}).items())
    console.print(table("metrics", ("metric", "value (95 % interval)"), metrics))
    if changed:
        print_report(changed)
    if report:
        announce(report)


@group.command(epilog=examples("archon models history tool-picker"))
def history(agent: Agent, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """List which versions were deployed, from when, by whom and why."""
    with connect(url, api_key) as gateway:
        found = gateway.items(f"/v1/agents/{agent}/deployments")
    if as_json:
        print_json(found)
        return
    console.print(table(f"deployments of {agent}", DEPLOYMENT, map(_deployment, found)))


@group.command(
    epilog=examples(
        "archon models deployed tool-picker",
        "archon models deployed tool-picker --at 2026-11-30T09:00:00Z",
    )
)
def deployed(
    agent: Agent,
    at: Annotated[str | None, typer.Option(help="ISO time, with its offset; absent: now.")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show the version that was deployed at a time, and who deployed it, when and why."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/agents/{agent}/deployed", **({"at": at} if at else {}))
    if as_json:
        print_json(found)
        return
    console.print(table(f"{agent} at {at or 'present'}", DEPLOYMENT, [_deployment(found)]))


@group.command(epilog=examples("archon models compare tool-picker 1.0.0 1.1.0"))
def compare(
    agent: Agent,
    first: Annotated[str, typer.Argument(help="A version.")],
    second: Annotated[str, typer.Argument(help="Another version.")],
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show two versions' metrics side by side."""
    with connect(url, api_key) as gateway:
        left, right = (gateway.get(f"/v1/agents/{agent}/models/{v}") for v in (first, second))
    if as_json:
        print_json({first: left, second: right})
        return
    rows = compared(left.get("metrics") or {}, right.get("metrics") or {})
    console.print(table(f"{agent}", ("metric", first, second, "difference"), rows))


@group.command(epilog=examples("archon models rollback tool-picker --reason 'odd answers'"))
def rollback(
    agent: Agent,
    reason: Reason,
    to: Annotated[str | None, typer.Option(help="Version; absent: the one before.")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Deploy an earlier version again."""
    body = {"reason": reason} | ({"to_version": to} if to else {})
    done = f"rolling {shown(agent)} back to {shown(to or 'the version before')}"
    send_command(url, api_key, f"/v1/agents/{agent}/rollback", body, done=done, as_json=as_json)


@group.command(epilog=examples("archon models deploy tool-picker 1.0.0 --reason 'by hand'"))
def deploy(
    agent: Agent,
    version: Version,
    reason: Reason,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Make a registered version the deployed one."""
    path = f"/v1/agents/{agent}/models/{version}/deploy"
    done = f"deploying {shown(agent)} {shown(version)}"
    send_command(url, api_key, path, {"reason": reason}, done=done, as_json=as_json)


def compared(left: dict[str, Any], right: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """A row per metric of either side; the difference where both have it."""
    rows = []
    for name in sorted({*left, *right}):
        a, b = left.get(name), right.get(name)
        difference = f"{b['value'] - a['value']:+.3f}" if a and b else "-"
        rows.append((name, estimate(a), estimate(b), difference))
    return rows


def _accuracy(model: dict[str, Any]) -> str:
    return estimate((model.get("metrics") or {}).get(ACCURACY))


def _deployment(found: dict[str, Any]) -> tuple[str, ...]:
    return (
        found["at"],
        found["version"],
        found["action"],
        found["previous_version"] or "-",
        found["actor"],
        found["reason"],
        found["digest"][:12],
    )
