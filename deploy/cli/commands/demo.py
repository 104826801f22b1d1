"""`archon demo`: one complete cycle on real components and real input."""

import asyncio
from typing import Annotated

import typer

from deploy.cli.options import Broker, Database, Json, examples
from deploy.cli.output import print_json
from deploy.local.processes.signals import stop_like_ctrl_c

EXAMPLES = examples("archon demo", "archon demo --seed 7 --json", "archon demo --keep")
INTERRUPTED = 130


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other numbers.")] = 0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the system running afterwards.")
    ] = False,
    broker: Broker = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Feedback in, a better model out: shows each step and writes var/demo/report.json."""
    # Imported here: the other commands need neither the benchmark nor the system's start.
    from deploy.demo.run import DemoOptions, run_demo

    stop_like_ctrl_c()
    try:
        options = DemoOptions(seed=seed, keep=keep, quiet=as_json, broker=broker, database=database)
        report = asyncio.run(run_demo(options))
    except KeyboardInterrupt:
        typer.echo("The demo was interrupted; everything is stopped.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(report)
