"""`archon status`: what runs, what waits, what went wrong."""

from collections.abc import Mapping
from typing import Any

from archon_contracts.topics import SERVICES
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json
from deploy.cli.screens.system import MOST_AGENTS, build_status_screen
from deploy.cli.target import connect, local_processes
from deploy.local.processes.probes import problems_of

EXAMPLES = examples("archon status", "archon status --json")


def status(url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Show on one screen what runs, the agents, and what somebody must look at."""
    with connect(url, api_key) as gateway:
        found: dict[str, Any] = gateway.get("/v1/status")
        # Not for a program: it reads /v1/agents itself, page by page.
        agents = [] if as_json else gateway.items("/v1/agents", most=MOST_AGENTS + 1)
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
    console.print(build_status_screen(found, here, problems, agents))


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
