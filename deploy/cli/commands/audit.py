"""`archon audit`: who changed what, and why; and whether the record of it is whole."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from deploy.cli.audit_tables import ChainReport, compare_tables
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import ago, console, print_json, table, text
from deploy.cli.target import connect, database_url
from deploy.printable import printable

group = typer.Typer(
    help="List who deployed, rolled back or changed a policy, and why; verify the record.",
    no_args_is_help=True,
)
BROKEN = 1


@group.command(
    "list", epilog=examples("archon audit list", "archon audit list --agent tool-picker --json")
)
def list_entries(
    agent: Annotated[str | None, typer.Option(help="Only of this agent.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, such as deployed.")] = None,
    since: Annotated[str | None, typer.Option(help="ISO time, with its offset.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """List the audit trail, newest first."""
    with connect(url, api_key) as gateway:
        query = {"agent_id": agent, "action": action, "since": since}
        found = gateway.items("/v1/audit", most=limit, **query)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            ago(entry["recorded_at"]),
            entry["action"],
            entry.get("agent_id"),
            entry["subject"],
            entry["actor"],
            why(entry),
        )
        for entry in found
    )
    columns = ("when", "action", "agent", "subject", "who", "why")
    console.print(table("audit trail", columns, rows))


@group.command(epilog=examples("archon audit verify", "archon audit verify --tables"))
def verify(
    tables: Annotated[
        bool, typer.Option("--tables", help="Compare every service's own table with the copy.")
    ] = False,
    tenant: Annotated[
        str | None, typer.Option(help="Another tenant; only with a key of the operator's tenant.")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Recompute every chain; exits with 1 when one is broken.

    With --tables, straight from the database that ARCHON_DATABASE_URL names, else the local one's.
    """
    if tables:
        reports = asyncio.run(compare_tables(database_url()))
        found = [asdict(report) | {"ok": report.ok} for report in reports]
        shown = _compared(reports)
    else:
        with connect(url, api_key) as gateway:
            found = gateway.get("/v1/audit/verify", tenant_id=tenant)["chains"]
        shown = table("audit chains", ("chain", "entries", "newest hash", "result"), _rows(found))
    if as_json:
        print_json(found)
    else:
        console.print(shown)
    if not all(chain["ok"] for chain in found):
        raise typer.Exit(BROKEN)


def why(entry: dict[str, Any]) -> str:
    """The reason, and what was changed."""
    changes = (f"{c['field']}: {text(c['before'])} -> {text(c['after'])}" for c in entry["changes"])
    return "; ".join(filter(None, (entry["reason"], *changes)))


def _rows(chains: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (c["chain"], c["entries"], c["hash"][:12], _format_problem(c["problem"])) for c in chains
    ]


def _compared(reports: list[ChainReport]) -> Any:
    rows = (
        (r.tenant_id, r.chain, r.entries, r.copied, r.hash[:12], _format_problem(r.problem))
        for r in reports
    )
    columns = ("tenant", "chain", "entries", "copied", "newest hash", "result")
    return table("audit chains, tables against the gateway's copy", columns, rows)


def _format_problem(problem: str) -> Text:
    return Text(printable(problem), style="red") if problem else Text("whole", style="green")
