"""`archon up`: everything on this machine, until Ctrl-C."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from deploy.cli.commands.processes import processes
from deploy.cli.options import Broker, Database, Json, examples
from deploy.cli.output import console, print_json
from deploy.local.processes.signals import stop_like_ctrl_c
from deploy.local.runtime import Runtime
from deploy.local.servers.choice import EMBEDDED_BROKER_NOTICE
from deploy.local.settings import EMBEDDED, LocalSettings

EXAMPLES = examples(
    "archon up", "archon up --port 8080", "archon up --broker kafka", "archon up --json | head -1"
)
REFRESH_SECONDS = 1.0


def up(
    port: Annotated[int | None, typer.Option(help="Gateway's port; else a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where data and logs live.")] = None,
    broker: Broker = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Start PostgreSQL, the broker and all services; Ctrl-C stops them all, data stays."""
    chosen: dict[str, Any] = {
        "gateway_port": port,
        "data_dir": data_dir,
        "broker": broker,
        "database": database,
    }
    settings = LocalSettings(**{name: value for name, value in chosen.items() if value})
    stop_like_ctrl_c()
    try:
        asyncio.run(_run(settings, as_json=as_json))
    except KeyboardInterrupt:
        typer.echo("Everything is stopped; your data is kept.", err=True)


async def _run(settings: LocalSettings, *, as_json: bool) -> None:
    started = time.monotonic()
    if not as_json:
        console.print("starting the system ...")
    async with Runtime(settings) as runtime:
        seconds = time.monotonic() - started
        if settings.broker == EMBEDDED:
            typer.echo(EMBEDDED_BROKER_NOTICE, err=True)
        if as_json:
            print_json(_facts(runtime, settings, seconds))
            await asyncio.Event().wait()
        _print_addresses(runtime, settings, seconds)
        if not console.is_terminal:
            await asyncio.Event().wait()
        with Live(processes(runtime.status()), console=console, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(REFRESH_SECONDS)
                live.update(processes(runtime.status()), refresh=True)


def _facts(runtime: Runtime, settings: LocalSettings, seconds: float) -> dict[str, object]:
    return {
        "gateway_url": runtime.endpoints.gateway_url,
        "kafka_bootstrap_servers": runtime.endpoints.kafka_bootstrap_servers,
        "api_key_file": str(settings.api_key_path),
        "ready_seconds": round(seconds, 2),
        "processes": [each.model_dump(mode="json") for each in runtime.status()],
    }


def _print_addresses(runtime: Runtime, settings: LocalSettings, seconds: float) -> None:
    url = runtime.endpoints.gateway_url
    console.print(f"[green]ready[/green] after {seconds:.1f} s")
    console.print(f"  API        {url}  (described at {url}/openapi.json)")
    console.print(f"  Kafka      {runtime.endpoints.kafka_bootstrap_servers}")
    console.print(f"  API key    in {settings.api_key_path}")
    console.print("  try        archon status, archon topics, archon feedback send --help")
