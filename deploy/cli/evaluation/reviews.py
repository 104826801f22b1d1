"""`archon reviews`: items for people to look at, and what they chose."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.errors import CommandError
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, shown, table
from deploy.cli.target import connect

SKIP, UNDO, END = "s", "u", "q"

group = typer.Typer(help="Queue items for reviewers, review, see agreement.", no_args_is_help=True)


@group.command(epilog=examples("archon reviews add tool-picker --file pairs.json --votes 2"))
def add(
    agent: Annotated[str, typer.Argument(help="Agent whose answers are reviewed.")],
    file: Annotated[
        Path, typer.Option(help="JSON: kind, items, labels, rubric, as the API takes it.")
    ],
    votes: Annotated[int | None, typer.Option(min=1, help="Reviewers of each item.")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Queue the items of a file; what reviewers choose is never training data."""
    try:
        body = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise CommandError(f"--file: {file} cannot be read as JSON: {error}.") from error
    if not isinstance(body, dict):
        raise CommandError(f"--file: {file} is no JSON object with `kind` and `items`.")
    with connect(url, api_key) as gateway:
        found = gateway.post(
            f"/v1/agents/{agent}/reviews", body | ({"votes": votes} if votes else {})
        )
    if as_json:
        print_json(found)
        return
    console.print(f"[green]{shown(found['tasks'])} items[/green] wait for reviewers")


@group.command(epilog=examples("archon reviews show tool-picker"))
def show(
    agent: Annotated[str, typer.Argument(help="Agent whose reviews are shown.")],
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show how many items are done, how far reviewers agree, and the newest choices."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/agents/{agent}/reviews")
    if as_json:
        print_json(found)
        return
    counts = ((c["kind"], c["tasks"], c["done"], c["reviews"]) for c in found["counts"])
    console.print(table(f"reviews of {agent}", ("kind", "items", "done", "reviews"), counts))
    kappas = ((a["kind"], a["coefficient"], a.get("kappa"), a["items"]) for a in found["agreement"])
    console.print(table("agreement", ("kind", "coefficient", "kappa", "items"), kappas))
    rows = ((r["reviewed_at"], r["kind"], r["choice"], r["request"]) for r in found["reviews"])
    console.print(table("newest", ("at", "kind", "choice", "request"), rows))


@group.command(epilog=examples("archon reviews work tool-picker"))
def work(
    agent: Annotated[str, typer.Argument(help="Agent whose items to review.")],
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Review items one after the other: a number chooses, s skips, u undoes, q ends."""
    done = 0
    with connect(url, api_key) as gateway:
        while task := gateway.get(f"/v1/agents/{agent}/reviews/next"):  # an empty answer ends it
            key = _ask(task)
            path = f"/v1/reviews/{task['task_id']}"
            if key == END:
                break
            if key == UNDO:
                gateway.post(f"/v1/agents/{agent}/reviews/undo")
                done -= 1
            elif key == SKIP:
                gateway.post(f"{path}/skip")
            else:
                gateway.post(f"{path}/choice", {"choice": task["choices"][int(key) - 1]})
                done += 1
    if as_json:
        print_json({"reviewed": done})
        return
    console.print(f"[green]{done} reviewed[/green]")


def _ask(task: dict[str, Any]) -> str:
    """The key that the reviewer presses: a number of a choice, or s, u, q."""
    console.print(f"\n[bold]{shown(task['request'])}[/bold]")
    for name, answer in zip("AB", task["answers"], strict=False):
        console.print(f"{name}: {shown(answer)}" if len(task["answers"]) > 1 else shown(answer))
    if task.get("rubric"):
        console.print(shown(task["rubric"]), style="dim")
    options = [f"{n} {shown(each)}" for n, each in enumerate(task["choices"], start=1)]
    numbers = [str(n) for n in range(1, len(task["choices"]) + 1)]
    while True:
        key: str = typer.prompt(f"{', '.join(options)}, s skip, u undo, q end").strip().lower()
        if key in (*numbers, SKIP, UNDO, END):
            return key
