"""`archon cost`: what trainings used, by agent."""

from typing import Annotated, Any

import typer

from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, table
from deploy.cli.target import connect

EXAMPLES = examples("archon cost", "archon cost --agent tool-picker --days 7")
COLUMNS = {
    "trainings": "trainings",
    "wall_seconds": "time [s]",
    "cpu_seconds": "CPU [s]",
    "gpu_seconds": "GPU [s]",
    "energy_wh": "energy [Wh]",
    "cost": "cost",
}


def cost(
    agent: Annotated[str | None, typer.Option(help="Only this agent.")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Of jobs so old at most.")] = 30,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show what trainings used, with their estimated cost and energy."""
    with connect(url, api_key) as gateway:
        found: dict[str, Any] = gateway.get("/v1/costs", agent_id=agent, days=days)
    if as_json:
        print_json(found)
        return
    rows = [(each["agent_id"], *_figures(each)) for each in found["agents"]]
    everything = ("all", *_figures(found["total"]))
    title = f"Trainings of the last {days} days"
    console.print(table(title, ("agent", *COLUMNS.values()), [*rows, everything]))


def _figures(use: dict[str, Any]) -> list[str]:
    return [f"{use[name]:.4g}" for name in COLUMNS]
