"""`archon watch`: the loop in a terminal, redrawn as it turns."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.live import Live

from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json
from deploy.cli.screens.system import MOST_AGENTS, MOST_JOBS, build_loop_screen
from deploy.cli.target import connect
from deploy.gateway_client import GatewayClient

EXAMPLES = examples("archon watch", "archon watch --seconds 60", "archon watch --once --json")
FINAL = ("completed", "rejected", "failed", "cancelled")


def watch(
    seconds: Annotated[
        float, typer.Option(min=0, help="End after so long [s]; 0: with Ctrl-C.")
    ] = 0.0,
    every: Annotated[float, typer.Option(min=0.5, help="Time between two looks [s].")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show feedback, jobs and deployed versions live; each look costs three requests or four."""
    with connect(url, api_key) as gateway:
        found = look(gateway)
        if as_json:
            print_json(found)
            return
        if once or not console.is_terminal:
            console.print(build_loop_screen(**found))
            return
        end = time.monotonic() + seconds if seconds else None
        with Live(build_loop_screen(**found), console=console, auto_refresh=False) as live:
            try:
                while end is None or time.monotonic() < end:
                    time.sleep(every)
                    live.update(build_loop_screen(**look(gateway)), refresh=True)
            except KeyboardInterrupt:
                return


def look(gateway: GatewayClient) -> dict[str, Any]:
    """The system now: bounded, however many agents and jobs there are."""
    jobs = gateway.items("/v1/jobs", most=MOST_JOBS)
    return {
        "status": gateway.get("/v1/status"),
        "agents": gateway.items("/v1/agents", most=MOST_AGENTS + 1),
        "jobs": [_with_progress(gateway, job) for job in jobs],
    }


def _with_progress(gateway: GatewayClient, job: dict[str, Any]) -> dict[str, Any]:
    if job["state"] != "training":
        return job
    shown: dict[str, Any] = gateway.get(f"/v1/jobs/{job['job_id']}")
    return {**job, "progress": shown.get("progress")}
