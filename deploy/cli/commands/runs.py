"""`archon runs`: what trainings recorded, as tables, charts and in the formats of other tools."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, assert_never

import typer

from archon_contracts.metric_names import TRAIN_LOSS, VALIDATION_ACCURACY
from deploy.cli.errors import CommandError
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import ago, coloured, console, print_json, shown, table
from deploy.cli.plots import Curve, draw_curves
from deploy.cli.target import connect
from deploy.exports.mlflow_runs import write_mlflow
from deploy.exports.prometheus import write_prometheus
from deploy.exports.runs import read_run
from deploy.exports.tensorboard import write_tensorboard
from deploy.gateway_client import GatewayClient

group = typer.Typer(
    help="List, show, compare, plot and export what trainings recorded.", no_args_is_help=True
)
Run = Annotated[
    str, typer.Argument(help="Job id, or AGENT@VERSION for the run that gave the version.")
]
Runs = Annotated[list[str], typer.Argument(help="Job ids, or AGENT@VERSION.")]
SHOWN_METRICS = (TRAIN_LOSS, VALIDATION_ACCURACY)
MAX_CURVE_POINTS = 10_000
SERIES = ("attempt", "metric", "points", "first step", "last step", "lowest", "highest", "newest")


class ExportFormat(StrEnum):
    """What other tools read."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    PROMETHEUS = "prometheus"


@group.command("list", epilog=examples("archon runs list --agent tool-picker"))
def list_runs(
    agent: Annotated[str | None, typer.Option(help="Only runs of this agent.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """List runs, newest first, with their newest loss and validation accuracy."""
    with connect(url, api_key) as gateway:
        jobs = gateway.items("/v1/jobs", most=limit, agent_id=agent)
        found = [job | {"series": _series(gateway, job["job_id"])} for job in jobs]
    if as_json:
        print_json(found)
        return
    rows = (
        (
            run["job_id"],
            run["agent_id"],
            run["method"],
            coloured(run["state"]),
            run.get("version"),
            *(_newest(run["series"]).get(name) for name in SHOWN_METRICS),
            ago(run["created_at"]),
        )
        for run in found
    )
    columns = ("run", "agent", "method", "state", "version", *SHOWN_METRICS, "asked for")
    console.print(table("runs", columns, rows))


@group.command(
    epilog=examples("archon runs show 01939b1e-...", "archon runs show tool-picker@1.1.0")
)
def show(run: Run, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Show a run: its configuration, and each metric summed up."""
    with connect(url, api_key) as gateway:
        found = _read(gateway, run)
    if as_json:
        print_json(found)
        return
    names = ("job_id", "agent_id", "method", "state", "version", "attempt", "created_at")
    console.print(table("run", ("what", "value"), ((name, found.get(name)) for name in names)))
    console.print(table("configuration", ("field", "value"), found["config"].items()))
    rows = (
        (
            each["attempt"],
            each["name"],
            each["points"],
            each["first_step"],
            each["last_step"],
            each["lowest"],
            each["highest"],
            each["newest"],
        )
        for each in found["series"]
    )
    console.print(table("metrics", SERIES, rows))


@group.command(epilog=examples("archon runs compare tool-picker@1.0.0 tool-picker@1.1.0"))
def compare(runs: Runs, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Show the newest metrics of several runs side by side, and where they were set otherwise."""
    with connect(url, api_key) as gateway:
        found = {run: _read(gateway, run) for run in dict.fromkeys(runs)}
    if as_json:
        print_json(found)
        return
    newest = {run: _newest(each["series"]) for run, each in found.items()}
    metrics = sorted({name for values in newest.values() for name in values})
    rows = ((name, *(newest[run].get(name) for run in found)) for name in metrics)
    console.print(table("newest metrics", ("metric", *found), rows))
    settings = different_settings([each["config"] for each in found.values()])
    console.print(table("settings that differ", ("field", *found), settings))


@group.command(
    epilog=examples(
        "archon runs plot tool-picker@1.1.0",
        "archon runs plot tool-picker@1.0.0 tool-picker@1.1.0 --metric train/loss",
    )
)
def plot(
    runs: Runs,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Metric, may be repeated; absent: loss and validation accuracy."),
    ] = None,
    height: Annotated[int, typer.Option(min=4, max=100, help="Lines of a chart.")] = 16,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Draw the curves of runs in the terminal, a chart per metric."""
    names = metric or list(SHOWN_METRICS)
    # Two dots of Braille per character; and the extremes of each are kept.
    width = max(console.width - 24, 20)
    with connect(url, api_key) as gateway:
        found = {
            run: gateway.get(
                f"/v1/jobs/{_job_id(gateway, run)}/curves",
                name=names,
                points=min(4 * width, MAX_CURVE_POINTS),
            )["items"]
            for run in dict.fromkeys(runs)
        }
    if as_json:
        print_json(found)
        return
    for name in names:
        curves = list(_curves(found, name))
        if not curves:
            console.print(f"no run has recorded {shown(name)}; `archon runs show` lists metrics")
            continue
        console.print(f"[bold]{shown(name)}[/bold]")
        print(draw_curves(curves, width=width, height=height, colours=console.is_terminal))


@group.command(
    epilog=examples(
        "archon runs export tool-picker@1.1.0 --format tensorboard --to logs",
        "archon runs export 01939b1e-... --format mlflow --to mlruns",
        "archon runs export 01939b1e-... --format prometheus --to archon.prom",
    )
)
def export(
    runs: Runs,
    to: Annotated[Path, typer.Option(help="Folder to add to; for prometheus a file.")],
    file_format: Annotated[ExportFormat, typer.Option("--format", help="What reads it.")],
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Write the metrics of runs for TensorBoard, MLflow or Prometheus."""
    with connect(url, api_key) as gateway:
        read = [read_run(gateway, _job_id(gateway, run)) for run in dict.fromkeys(runs)]
    match file_format:
        case ExportFormat.TENSORBOARD:
            written = [path for run in read for path in write_tensorboard(run, to)]
        case ExportFormat.MLFLOW:
            written = [path for run in read for path in write_mlflow(run, to)]
        case ExportFormat.PROMETHEUS:
            written = write_prometheus(read, to)
        case _:
            assert_never(file_format)
    if as_json:
        print_json({"written": [str(path) for path in written]})
        return
    for path in written:
        console.print(f"wrote {shown(path)}")


def different_settings(configs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A row for each field whose value is not the same in all; absent: the recipe's default."""
    names = sorted({name for config in configs for name in config})
    rows = []
    for name in names:
        values = [config.get(name) for config in configs]
        if any(value != values[0] for value in values):
            rows.append((name, *("default" if v is None else str(v) for v in values)))
    return rows


def _read(gateway: GatewayClient, run: str) -> dict[str, Any]:
    job_id = _job_id(gateway, run)
    job: dict[str, Any] = gateway.get(f"/v1/jobs/{job_id}")
    return job | {"series": _series(gateway, job_id)}


def _series(gateway: GatewayClient, job_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gateway.get(f"/v1/jobs/{job_id}/series")["items"]
    return found


def _newest(series: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Newest value by metric, of the last attempt that has it: the series come by attempt."""
    return {each["name"]: each["newest"] for each in series}


def _job_id(gateway: GatewayClient, run: str) -> str:
    """The job that is named by its id, or by a version that it gave."""
    agent, at, version = run.rpartition("@")
    if not at:
        return run
    found = gateway.get(f"/v1/agents/{agent}/models/{version}")
    job_id = (found.get("lineage") or {}).get("job_id")
    if job_id is None:
        raise CommandError(f"The run of {run} is not known yet: its registration has not arrived.")
    return str(job_id)


def _curves(found: Mapping[str, Sequence[Mapping[str, Any]]], name: str) -> Iterable[Curve]:
    for run, curves in found.items():
        of_metric = [curve for curve in curves if curve["name"] == name]
        for curve in of_metric:
            several = len(of_metric) > 1
            label = f"{run}, attempt {curve['attempt']}" if several else run
            yield Curve(label, curve["steps"], curve["values"])
