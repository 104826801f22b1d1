"""`archon benchmark` and `archon validate`: suites on versions, and the checks of one version."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from deploy.cli.errors import FAILED
from deploy.cli.evaluation.waiting import wait_for_end
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, shown, table
from deploy.cli.target import connect

BENCHMARK_EXAMPLES = examples(
    "archon benchmark tool-picker",
    "archon benchmark tool-picker --version 1.1.0 --version 1.0.0 --suite held-out --repeats 3",
)
VALIDATE_EXAMPLES = examples(
    "archon validate tool-picker",
    "archon validate tool-picker --version 1.1.0 --golden golden-items --latency-limit 0.2 --json",
)
Agent = Annotated[str, typer.Argument(help="Agent whose versions are run.")]
Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", help="Dataset for evaluation, may be repeated; else the agent's own."),
]
Timeout = Annotated[float, typer.Option(min=1, help="Longest wait, in seconds.")]
CHECKED = {True: "yes", False: "no", None: "not made"}


def benchmark(
    agent: Agent,
    version: Annotated[
        list[str] | None, typer.Option(help="Version, may be repeated; else the newest ones.")
    ] = None,
    suite: Suites = None,
    repeats: Annotated[int, typer.Option(min=1, max=20, help="How often each item is asked.")] = 1,
    timeout: Timeout = 3600,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Run suites on versions side by side; exits with 1 when one did not pass."""
    body = {"agentId": agent, "versions": version, "suites": suite, "repeats": repeats}
    found = _run("benchmarkAgent", body, timeout, url, api_key)
    if as_json:
        print_json(found)
    else:
        _print_benchmark(agent, found["result"])
    raise typer.Exit(0 if found["result"]["passed"] else FAILED)


def validate(
    agent: Agent,
    version: Annotated[str | None, typer.Option(help="Version; else the deployed one.")] = None,
    suite: Suites = None,
    golden: Annotated[
        str | None, typer.Option(help="Dataset of which each item must be right.")
    ] = None,
    latency_limit: Annotated[
        float | None, typer.Option(help="Largest 95th percentile of an answer's time, in seconds.")
    ] = None,
    timeout: Timeout = 3600,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Run the checks of one version; exits with 0 (it may be used) or 1 (not), with reasons."""
    body = {
        "agentId": agent,
        "version": version,
        "suites": suite,
        "golden": golden,
        "latencyLimitSeconds": latency_limit,
    }
    found = _run("validateModel", body, timeout, url, api_key)
    result = found["result"]
    if as_json:
        print_json(found)
    else:
        rows = ((c["name"], CHECKED[c.get("passed")], c["detail"]) for c in result["checks"])
        console.print(table(f"checks of {agent}", ("check", "holds", "detail"), rows))
        _print_reasons(result)
    raise typer.Exit(0 if result["passed"] else FAILED)


def _run(
    function: str, body: Mapping[str, Any], timeout: float, url: str | None, api_key: str | None
) -> dict[str, Any]:
    stated = {name: value for name, value in body.items() if value is not None}
    with connect(url, api_key) as gateway:
        started = gateway.post(f"/v1/functions/{function}", stated)
        # To standard error: with --json standard output holds the outcome alone.
        typer.echo(f"{started['result'].rpartition('/')[2]} is run", err=True)
        return wait_for_end(gateway, started["result"], timeout)


def _print_benchmark(agent: str, result: Mapping[str, Any]) -> None:
    rows = (
        (
            each["version"],
            each["suite"],
            CHECKED[each["passed"]],
            metric["name"],
            f"{metric['estimate']['value']:.4g}",
            f"{metric['estimate']['low']:.4g} to {metric['estimate']['high']:.4g}",
            metric["estimate"]["n"],
        )
        for each in result["results"]
        for metric in each["metrics"]
    )
    columns = ("version", "suite", "passed", "metric", "figure", "95 % interval", "n")
    console.print(table(f"versions of {agent}", columns, rows))
    differences = (
        (
            each["version"],
            each["control"],
            each["metric"],
            f"{each['difference']['value']:+.4g}",
            f"{each['adjusted_p_value']:.3g}",
        )
        for each in result["differences"]
        if each["group"] == "all"
    )
    columns_of = ("version", "beside", "metric", "difference", "p (Holm)")
    console.print(table("differences", columns_of, differences))
    _print_reasons(result)


def _print_reasons(result: Mapping[str, Any]) -> None:
    for reason in result["reasons"]:
        console.print(f"[{'green' if result['passed'] else 'red'}]{shown(reason)}[/]")
