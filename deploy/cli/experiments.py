"""`archon experiments`: what was compared on production traffic, and how it was decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import ago, coloured, console, print_json, shown, table
from deploy.cli.target import connect

SHOWN_MEASURES = 12

group = typer.Typer(help="List and show experiments.", no_args_is_help=True)


@group.command(
    "list",
    epilog=examples("archon experiments list", "archon experiments list --state running --json"),
)
def list_experiments(
    agent: Annotated[str | None, typer.Option(help="Only experiments of this agent.")] = None,
    state: Annotated[str | None, typer.Option(help="running, promoted, kept or cancelled.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 100,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """List experiments, newest first: shadows, canaries and A/B tests."""
    with connect(url, api_key) as gateway:
        found = gateway.items("/v1/experiments", most=limit, agent_id=agent, state=state)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            each["experiment_id"],
            each["agent_id"],
            each["mode"],
            coloured(each["state"]),
            f"{each['treatment']['version']} against {each['control']['version']}",
            f"{100 * each['proportion']:g} %",
            _difference(each.get("difference")),
            ago(each["started_at"]),
        )
        for each in found
    )
    columns = ("experiment", "agent", "mode", "state", "versions", "part", "difference", "began")
    console.print(table("experiments", columns, rows))


@group.command(epilog=examples("archon experiments show 01939b1e-..."))
def show(
    experiment: Annotated[str, typer.Argument(help="Id, as `archon experiments list` shows it.")],
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show an experiment: traffic, feedback, difference and evidence over time, why it ended."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/experiments/{experiment}")
    if as_json:
        print_json(found)
        return
    control, treatment = found["control"]["version"], found["treatment"]["version"]
    console.print(
        f"{shown(found['mode'])} of [bold]{shown(treatment)}[/bold] against {shown(control)}, "
        f"agent {shown(found['agent_id'])}: {shown(found['state'])}"
    )
    if found.get("stop_reason"):
        console.print(f"ended {ago(found['ended_at'])}: {shown(found['stop_reason'])}")
    console.print(table("arms", ARM_COLUMNS, (_arm(each) for each in found["arms"])))
    console.print(f"difference: {_difference(found.get('difference'))}")
    if found.get("selection"):
        console.print(f"feedback: {shown(found['selection'])}")
    if found.get("division_p_value") is not None:
        console.print(f"division of traffic: p = {found['division_p_value']:.3g} at all looks")
    rows = (_measure(each) for each in found["measures"][-SHOWN_MEASURES:])
    console.print(table("looks, newest last", MEASURE_COLUMNS, rows))


ARM_COLUMNS = (
    "version",
    "answers",
    "failed",
    "scored",
    "feedback rate",
    "mean outcome (95 %)",
    "weighed by propensity",
)
MEASURE_COLUMNS = ("when", "part", "scored", "difference", "e-value of harm")


def _arm(arm: Mapping[str, Any]) -> tuple[Any, ...]:
    rate = arm.get("feedback_rate")
    return (
        arm["model"]["version"],
        arm["interactions"],
        arm["failed"],
        arm["scored"],
        None if rate is None else f"{100 * rate:.1f} %",
        _mean(arm.get("outcome")),
        _mean(arm.get("weighted_outcome")),
    )


def _mean(estimate: Mapping[str, Any] | None) -> str | None:
    if estimate is None:
        return None
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _measure(measure: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        ago(measure["measured_at"]),
        f"{100 * measure['treatment_proportion']:g} %",
        " / ".join(str(each["scored"]) for each in measure["arms"]),
        _difference(measure.get("difference")),
        f"e^{measure['harm_log_e_value']:.2f} of e^{measure['harm_log_limit']:.2f}",
    )


def _difference(estimate: Mapping[str, Any] | None) -> str:
    """In points; an undecided one says so by its interval."""
    if estimate is None:
        return "-"
    low, high = 100 * estimate["low"], 100 * estimate["high"]
    return f"{100 * estimate['value']:+.1f} points ({low:+.1f} to {high:+.1f})"
