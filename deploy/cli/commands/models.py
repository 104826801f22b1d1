"""`archon models`: the versions of an agent, and which one is deployed."""

from typing import Annotated, Any

import typer

from archon_contracts.metric_names import ACCURACY
from deploy.cli import model_exchange
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
ANCESTOR = ("version", "status", "digest", "seed", "code_revision", "job_id", "dataset_id")
"""Columns of a version's ancestor."""
Reason = Annotated[str, typer.Option(help="Why, for the record.")]


@group.command(
    "list",
    epilog=examples(
        "archon models list tool-picker",
        "archon models list tool-picker --where status=archived --where 'accuracy>=0.8'",
        "archon models list tool-picker --where status=training",
    ),
)
def list_models(
    agent: Agent,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Condition, may be repeated: status, digest (a prefix), parent_version, job_id or "
            "dataset_id=VALUE, METRIC>=N, METRIC<=N, or a field of the lineage=VALUE."
        ),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """List an agent's versions, newest first."""
    with connect(url, api_key) as gateway:
        found = gateway.items(f"/v1/agents/{agent}/models", where=where)
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
            model.get("protected_reason"),
        )
        for model in found
    )
    headers = ("version", "status", "digest", ACCURACY, "retracted items held", "protected")
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


@group.command(epilog=examples("archon models lineage tool-picker 1.1.0"))
def lineage(
    agent: Agent,
    version: Version,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show what a version was made from: feedback, data, configuration, the versions before."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/agents/{agent}/models/{version}/lineage")
    if as_json:
        print_json(found)
        return
    origin = {name: value for name, value in found["lineage"].items() if name != "facts"}
    console.print(table(f"{agent} {version}", ("what", "value"), origin.items()))
    rows = (tuple(each.get(name) for name in ANCESTOR) for each in found["ancestors"])
    console.print(table("versions that it goes back to", ANCESTOR, rows))
    ids = found.get("feedback_ids")
    total = found.get("feedback_total")
    console.print(
        f"{total} feedback events; --json lists their ids"
        if ids is not None
        else "its dataset is not in the store any more, so its feedback is not known"
    )


@group.command("live", hidden=True, epilog=examples("archon models live tool-picker"))
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
    """Show two versions side by side: metrics, and what differs in their data and settings."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/agents/{agent}/models/{first}/compare/{second}")
    if as_json:
        print_json(found)
        return
    rows = map(_metric_row, found["metrics"])
    console.print(table(f"{agent}", ("metric", first, second, "difference"), rows))
    fields = ((each["field"], each["first"], each["second"]) for each in found["differences"])
    console.print(table("lineage", ("field", first, second), fields))
    if found["same_weights"]:
        console.print("their weights are the same, byte for byte")
    ancestor = found["common_ancestor"] or "none"
    console.print(f"nearest version that both go back to: {shown(ancestor)}")


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


@group.command(epilog=examples("archon models archive tool-picker 1.0.0 --reason superseded"))
def archive(
    agent: Agent,
    version: Version,
    reason: Reason,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Keep a version for the record only: it can never be deployed again."""
    path = f"/v1/agents/{agent}/models/{version}/archive"
    done = f"archiving {shown(agent)} {shown(version)}"
    send_command(url, api_key, path, {"reason": reason}, done=done, as_json=as_json)


@group.command(
    epilog=examples(
        "archon models protect tool-picker 1.0.0 --reason 'audited release'",
        "archon models protect tool-picker 1.0.0 --off --reason 'audit is over'",
    )
)
def protect(
    agent: Agent,
    version: Version,
    reason: Reason,
    off: Annotated[bool, typer.Option("--off", help="Take the protection away.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Keep retention from archiving a version, or allow it again."""
    path = f"/v1/agents/{agent}/models/{version}/protect"
    done = f"{'unprotecting' if off else 'protecting'} {shown(agent)} {shown(version)}"
    body = {"reason": reason, "protected": not off}
    send_command(url, api_key, path, body, done=done, as_json=as_json)


@group.command(
    epilog=examples("archon models retain tool-picker --keep 20 --days 90 --reason 'tidy up'")
)
def retain(
    agent: Agent,
    reason: Reason,
    keep: Annotated[int, typer.Option(min=1, help="Newest versions that stay.")],
    days: Annotated[
        int, typer.Option(min=0, help="Versions deployed in so many days stay [d].")
    ] = 90,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Archive old versions; deployed, protected and recently deployed ones stay."""
    body = {"keep_newest": keep, "deployed_within_days": days, "reason": reason}
    done = f"archiving old versions of {shown(agent)}"
    send_command(url, api_key, f"/v1/agents/{agent}/retention", body, done=done, as_json=as_json)


group.command("card", epilog=model_exchange.CARD)(model_exchange.card)
group.command("export", epilog=model_exchange.EXPORT)(model_exchange.export)
group.command("import", epilog=model_exchange.IMPORT)(model_exchange.import_model)
group.command("reproduce", epilog=model_exchange.REPRODUCE)(model_exchange.reproduce)


def _metric_row(found: dict[str, Any]) -> tuple[str, str, str, str]:
    difference = found["difference"]
    shown_difference = "-" if difference is None else f"{difference:+.3f}"
    return found["name"], estimate(found["first"]), estimate(found["second"]), shown_difference


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
