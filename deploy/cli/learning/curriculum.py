"""`archon curriculum`: an agent's level and skills, the evidence on them, and what is next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import ago, console, print_json, shown, table
from deploy.cli.target import connect

LEVELS = {1: "basic", 2: "intermediate", 3: "advanced", 4: "expert"}

group = typer.Typer(help="Levels and skills of agents.", no_args_is_help=True)


@group.callback()
def _curriculum() -> None:
    """Levels and skills of agents."""


@group.command(
    epilog=examples("archon curriculum show demo-agent", "archon curriculum show demo-agent --json")
)
def show(
    agent: Annotated[str, typer.Argument(help="The agent's id.")],
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show an agent's level and skills with their evidence, and the next plan with its reasons."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/agents/{agent}/curriculum")
    if as_json:
        print_json(found)
        return
    console.print(
        f"[bold]{shown(agent)}[/bold]: level {found['level']} ({LEVELS[found['level']]}), "
        f"{shown(found['reason'])}"
    )
    if rate := found.get("feedback_rate"):
        console.print(f"rated answers on this level: {_rate(rate)}")
    if change := found.get("last_change"):
        console.print(
            f"last change: level {change['from_level']} to {change['to_level']} "
            f"{ago(change['changed_at'])}: {shown(change.get('reason') or 'no reason stated')}"
        )
    if skills := found["skills"]:
        console.print(table("skills", SKILL_COLUMNS, (_skill(each) for each in skills)))
    if coverage := found["coverage"]:
        console.print(table("levels", LEVEL_COLUMNS, (_coverage(each) for each in coverage)))
    if tasks := found["next_tasks"]:
        rows = (
            (each["skill"], f"{100 * each['proportion']:.0f} %", each["reason"]) for each in tasks
        )
        console.print(table("to practise next", ("skill", "part", "why"), rows))
    if plan := found.get("plan"):
        console.print(f"plan of job {shown(found['planned_for'])}: {shown(plan['rationale'])}")


SKILL_COLUMNS = ("skill", "task type", "level", "right (95 %)", "before", "best", "mastered")
LEVEL_COLUMNS = ("level", "task type", "what it asks", "items", "right")


def _skill(each: Mapping[str, Any]) -> tuple[Any, ...]:
    before = each.get("previous_rate")
    return (
        each["skill"],
        each["task_type"],
        each["level"],
        _rate(each["success_rate"]),
        None if before is None else f"{before:.2f}",
        f"{each['best_rate']:.2f}",
        "yes" if each["is_mastered"] else "no",
    )


def _coverage(each: Mapping[str, Any]) -> tuple[Any, ...]:
    items = each["items"]
    return (
        f"{each['level']} {LEVELS[each['level']]}",
        each["task_type"],
        each["description"],
        items,
        f"{each['correct'] / items:.2f}" if items else None,
    )


def _rate(estimate: Mapping[str, Any]) -> str:
    return (
        f"{estimate['value']:.2f} ({estimate['low']:.2f} to {estimate['high']:.2f}, "
        f"{estimate['n']} answers)"
    )
