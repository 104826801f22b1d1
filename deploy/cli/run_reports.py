"""What `archon models show` and `archon jobs show` print and write of a run's report."""

from pathlib import Path
from typing import Annotated

import typer

from archon_contracts.formats import RunReport
from archon_contracts.rules.bounds import SATURATE
from deploy.cli.output import console, shown
from deploy.gateway_client import GatewayClient
from deploy.report_tables import build_report_tables

ReportFile = Annotated[
    Path | None,
    typer.Option("--report", help="Write the run's report here, as one HTML page.", dir_okay=False),
]


def print_report(body: object) -> None:
    """Print a report as tables."""
    report = RunReport.model_validate(body, context=SATURATE)
    for part in build_report_tables(report):
        console.print(part)


def write_page(gateway: GatewayClient, path: str, file: Path) -> None:
    """Write the page at `path` of the gateway into a file."""
    file.write_text(gateway.get_text(path), encoding="utf-8")


def announce(file: Path) -> None:
    """Say where the page is."""
    console.print(f"the report is in {shown(file)}")
