"""`archon trace JOB`: from the feedback to the deployed version, on one page."""

from typing import Annotated

import typer

from deploy.cli.errors import CommandError
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, shown
from deploy.cli.target import connect
from deploy.waterfall import arrange, draw, read_spans

EXAMPLES = examples("archon trace 01939b1e-...", "archon trace 01939b1e-... --all --json")


def trace(
    job: Annotated[str, typer.Argument(help="Job id, as `archon jobs list` shows it.")],
    all_spans: Annotated[bool, typer.Option("--all", help="Do not fold alike spans.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Draw the trace of a job as a waterfall."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/jobs/{job}/trace")
    if as_json:
        print_json(found)
        return
    if not found["spans"]:
        raise CommandError(f"No span of job {job} has arrived yet: try again in a second.")
    console.print(f"trace [bold]{shown(found['trace_id'])}[/bold] of job {shown(job)}")
    console.print(
        draw(arrange(read_spans(found["spans"]), fold=not all_spans), width=console.width)
    )
