"""`archon status`: what runs, what waits, what went wrong."""

from collections.abc import Mapping
from typing import Any

from archon_contracts.topics import SERVICES
from deploy.cli.commands.processes import processes
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, shown, table
from deploy.cli.target import connect, local_processes
from deploy.local.processes.probes import problems_of

EXAMPLES = examples("archon status", "archon status --json")


def status(url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Show processes started here, workers, open jobs, feedback and dead letters."""
    with connect(url, api_key) as gateway:
        found: dict[str, Any] = gateway.get("/v1/status")
    here = local_processes(gateway.url)
    problems = find_problems(found)
    for each in here:
        # Services alone have the endpoint; PostgreSQL and Kafka would log a broken packet.
        if each.name in SERVICES and (reasons := problems_of(each.port)):
            problems[each.name] = problems.get(each.name, {}) | reasons
    if as_json:
        processes_here = [each.model_dump(mode="json") for each in here]
        print_json({"processes": processes_here, "problems": problems, **found})
        return
    if here:
        console.print(processes(here))
    for name, wrong in problems.items():
        for check, reason in wrong.items():
            console.print(f"[yellow]{shown(name)}[/yellow] {shown(check)}: {shown(reason)}")
    for title, value in found.items():
        _show(title, value)


def find_problems(status: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What of a system's status somebody must look at, by part; a plain figure is overlooked."""
    refused = status.get("refused_audit_entries", 0)
    if not refused:
        return {}
    text = (
        f"{refused} entries are dead letters, so the audit log has gaps: find them with "
        "`archon dlq list`, mend what their reason names, and `archon dlq replay` them"
    )
    return {"gateway": {"audit": text}}


def _show(title: str, value: Any) -> None:
    name = title.replace("_", " ")
    if isinstance(value, list) and value and isinstance(value[0], dict):
        columns = list(value[0])
        rows = ([item.get(column) for column in columns] for item in value)
        console.print(table(name, columns, rows))
    elif isinstance(value, dict):
        console.print(table(name, ("what", "value"), value.items()))
    else:
        console.print(f"[bold]{shown(name)}[/bold] {shown(value)}")
