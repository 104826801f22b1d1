"""`archon triggers`: what other trigger policies would have done on an agent's history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from archon_contracts.triggers.backtest import (
    BacktestResult,
    FeedbackHistory,
    HistoryHour,
    estimate_drift,
    find_optimum,
    replay,
)
from archon_contracts.values import TriggerPolicy
from deploy.cli.errors import CommandError
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, table
from deploy.cli.plots import Curve, draw_curves
from deploy.cli.target import connect
from shared.cron import next_time

PRESENT: Final = "present"
DEFAULT_PRICE: Final = 1.0
MAX_POLICIES: Final = 8

group = typer.Typer(help="When agents are retrained.", no_args_is_help=True)


@group.callback()
def _triggers() -> None:
    """When agents are retrained."""


@group.command(
    epilog=examples(
        "archon triggers backtest demo-agent",
        """archon triggers backtest demo-agent --policy '{"error_rise": 0.1}' --price 5""",
    )
)
def backtest(
    agent: Annotated[str, typer.Argument(help="The agent's id.")],
    policy: Annotated[
        list[str] | None,
        typer.Option(help="A trigger policy as JSON; give the option again for further ones."),
    ] = None,
    price: Annotated[
        float, typer.Option(min=0, help="Seconds of training that a wrong answer less is worth.")
    ] = DEFAULT_PRICE,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days of history.")] = 90,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Replay an agent's history through trigger policies: retrains, cost, regret and accuracy.

    What versions that were never trained would have answered is estimated from how the error rate
    rose while each version was deployed.
    """
    policies = _read_policies(policy or [])
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/agents/{agent}/feedback-history", days=days)
        profile = gateway.get(f"/v1/agents/{agent}")["profile"]
    history = _to_history(found)
    if not history.hours:
        raise CommandError(f"agent {agent} has no feedback of the last {days} days; send some")
    policies = {PRESENT: TriggerPolicy.model_validate(profile["trigger"]), **policies}
    drift = estimate_drift(history)
    results = [
        replay(name, each, history, drift, price_seconds=price, next_time=next_time)
        for name, each in policies.items()
    ]
    best = find_optimum(history, drift, price_seconds=price)
    if as_json:
        print_json([_to_json(each) for each in (*results, best)])
        return
    console.print(table(f"{agent}, {days} days", COLUMNS, map(_row, (*results, best))))
    curves = [
        Curve(each.policy, range(len(each.accuracy_by_hour)), each.accuracy_by_hour)
        for each in results
    ]
    console.print("accuracy of what would have been live, by hour with feedback")
    print(draw_curves(curves, width=72, height=12, colours=console.is_terminal))


COLUMNS = ("policy", "retrains", "why", "training [s]", "regret [s]", "both [s]", "accuracy")


def _read_policies(texts: list[str]) -> dict[str, TriggerPolicy]:
    if len(texts) > MAX_POLICIES:
        raise CommandError(f"--policy stands {len(texts)} times; give at most {MAX_POLICIES}")
    found = {}
    for number, text in enumerate(texts, start=1):
        try:
            found[f"policy {number}"] = TriggerPolicy.model_validate(json.loads(text))
        except (json.JSONDecodeError, ValidationError) as error:
            raise CommandError(
                f"--policy {text} is no trigger policy ({error}); give JSON as in --help"
            ) from error
    return found


def _to_history(found: Mapping[str, Any]) -> FeedbackHistory:
    return FeedbackHistory(
        [
            HistoryHour(datetime.fromisoformat(each["hour"]), each["answers"], each["wrong"])
            for each in found["hours"]
        ],
        [datetime.fromisoformat(each) for each in found["deployed_at"]],
        found.get("training_seconds"),
    )


def _row(result: BacktestResult) -> tuple[Any, ...]:
    reasons = sorted({each.reason.value for each in result.retrains})
    return (
        result.policy,
        len(result.retrains),
        ", ".join(reasons) if result.policy != "optimum" else "known afterwards",
        f"{result.training_seconds:.0f}",
        f"{result.regret_seconds:.0f}",
        f"{result.total_seconds:.0f}",
        f"{result.accuracy:.3f}",
    )


def _to_json(result: BacktestResult) -> dict[str, Any]:
    return {
        "policy": result.policy,
        "retrains": [
            {"at": each.at.isoformat(), "reason": each.reason.value, "unused": each.unused}
            for each in result.retrains
        ],
        "answers": result.answers,
        "wrong": result.wrong,
        "accuracy": result.accuracy,
        "training_seconds": result.training_seconds,
        "regret_seconds": result.regret_seconds,
        "accuracy_by_hour": list(result.accuracy_by_hour),
    }
