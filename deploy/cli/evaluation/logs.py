"""`archon logs`: what an agent's interactions and feedback show."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.errors import CommandError
from deploy.cli.evaluation.waiting import wait_for_end
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, shown, table
from deploy.cli.target import connect

FUNCTION: Final = "/v1/functions/analyzeAgentLogs"

group = typer.Typer(help="Analyse what an agent was asked and answered.", no_args_is_help=True)


@group.command(
    epilog=examples(
        "archon logs analyze tool-picker",
        "archon logs analyze tool-picker --hours 168 --cases failures.yaml",
        "archon logs analyze tool-picker --start 1",
        "archon logs analyze tool-picker --json",
    )
)
def analyze(
    agent: Annotated[str, typer.Argument(help="Agent whose logs are analysed.")],
    hours: Annotated[int, typer.Option(min=1, max=2160, help="How many hours back.")] = 24,
    most: Annotated[
        int, typer.Option(min=1, max=20_000, help="Newest interactions, and feedback events.")
    ] = 5_000,
    slow_seconds: Annotated[
        float | None, typer.Option(help="Slow beyond so many seconds; else by their own spread.")
    ] = None,
    start: Annotated[
        int | None, typer.Option(min=1, help="Start the suggestion with this number.")
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(help="Write the proposed test cases here, as a suite.", dir_okay=False),
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Longest wait, in seconds.")] = 600,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Find failure clusters, drift, cost, slow and looping interactions, and what to do."""
    body = {"agentId": agent, "hours": hours, "most": most, "slowSeconds": slow_seconds}
    with connect(url, api_key) as gateway:
        started = gateway.post(FUNCTION, {k: v for k, v in body.items() if v is not None})
        found = wait_for_end(gateway, started["result"], timeout)
        suggestion = _choose(found["result"]["suggestions"], start) if start else None
        answer = gateway.post(suggestion["path"], suggestion["body"]) if suggestion else None
    if cases:
        cases.write_text(write_suite(agent, found["result"]["clusters"]), encoding="utf-8")
    if as_json:
        print_json(found | ({"started": answer} if answer else {}))
        return
    _print(agent, found["result"])
    if suggestion:
        console.print(f"[green]started[/green]: {shown(suggestion['title'])}")


def _choose(suggestions: list[dict[str, Any]], number: int) -> dict[str, Any]:
    if number > len(suggestions):
        raise CommandError(f"There are {len(suggestions)} suggestions; --start names one of them.")
    return suggestions[number - 1]


def write_suite(agent: str, clusters: Iterable[Mapping[str, Any]]) -> str:
    """The proposed cases of all clusters as a suite's YAML; JSON is YAML, too.

    Where nobody gave the right answer, the case asserts that the wrong one does not come again.
    """
    cases = []
    for cluster in clusters:
        for each in cluster["proposed_cases"]:
            case = {"id": each["id"], "input": each["request"], "group": cluster["name"][:256]}
            if each.get("target"):
                case["target"] = each["target"]
            elif each.get("wrong"):
                case["assertions"] = [{"not_contains": each["wrong"]}]
            else:
                continue  # neither answer is known: there is nothing to test
            cases.append(case)
    if not cases:
        raise CommandError("No failure has a right or wrong answer to test; there are no cases.")
    return json.dumps({"suite": f"failures of {agent}", "cases": cases}, indent=2) + "\n"


def _print(agent: str, found: Mapping[str, Any]) -> None:
    figures = found["figures"]
    rows = (
        (
            each["name"],
            each["size"],
            each["corrected"],
            each["trend"]["direction"],
            each["evidence"][0]["text"],
        )
        for each in found["clusters"]
    )
    headers = ("failures about", "size", "corrected", "trend", "for example")
    console.print(table(f"{agent}: {figures['failures']} failures", headers, rows))
    console.print(
        f"{figures['interactions']} interactions, {figures['with_feedback']} with feedback, "
        f"{figures['unclustered']} failures like no others, {found['slow_interactions']} slow, "
        f"{len(found['loops'])} loops"
    )
    console.print(_describe_drift(found))
    suggestions = enumerate(found["suggestions"], start=1)
    rows_of = ((n, each["title"], each["reason"], each["path"]) for n, each in suggestions)
    console.print(table("suggestions (--start N)", ("N", "what", "why", "call"), rows_of))


def _describe_drift(found: Mapping[str, Any]) -> str:
    drift = found.get("drift")
    if drift is None:
        return f"drift not tested: {shown(found['drift_untested'])}"
    outcome = "[yellow]drift[/yellow]" if drift["drifted"] else "no drift"
    return (
        f"{outcome} from the training data of {shown(drift['trained_version'])}: "
        f"MMD p {drift['mmd']['p_value']:.3g}, classifier p {drift['classifier']['p_value']:.3g}, "
        f"AUROC {drift['auroc']:.3f}"
    )
