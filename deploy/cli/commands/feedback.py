"""`archon feedback`: send feedback on an answer, and see how many records came in."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from archon_contracts.identifiers import new_id
from archon_contracts.rules.json_values import parse_json
from deploy.cli.errors import CommandError
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, shown, table
from deploy.cli.target import connect

BATCH = 100

group = typer.Typer(help="Send feedback, count the records that came in.", no_args_is_help=True)


@group.command(
    epilog=examples(
        "archon feedback send tool-picker --input 'book a flight' --expected flights.book",
        "archon feedback send tool-picker --file feedback.jsonl",
        "archon feedback send support --input 'hello' --actual 'go away' --rating 1",
    )
)
def send(
    agent: Annotated[str, typer.Argument(help="Agent whose answer is rated.")],
    input: Annotated[str | None, typer.Option(help="What it was asked: text or JSON.")] = None,
    actual: Annotated[str | None, typer.Option(help="What it answered.")] = None,
    expected: Annotated[str | None, typer.Option(help="What it should have answered.")] = None,
    rating: Annotated[float | None, typer.Option(help="Stars, 1 to 5.")] = None,
    reward: Annotated[float | None, typer.Option(help="Return, -1 to 1.")] = None,
    interaction: Annotated[str | None, typer.Option(help="Its id; else a new one.")] = None,
    file: Annotated[Path | None, typer.Option(help="JSON lines, one event each.")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Send one event, or a file of them; returns when the broker has stored them."""
    if (file is None) == (input is None):
        raise CommandError("Give either --input for one event or --file for many.")
    fields = {"actual": _json(actual), "expected": _json(expected)}
    fields |= {"input": _json(input), "rating": rating, "reward": reward}
    events = _read(file) if file else [_build_event(fields, interaction)]
    ids: list[str] = []
    with connect(url, api_key) as gateway:
        for start in range(0, len(events), BATCH):
            batch = [{**event, "agent_id": agent} for event in events[start : start + BATCH]]
            ids += gateway.post("/v1/feedback", {"events": batch})["event_ids"]
    if as_json:
        print_json({"accepted": len(ids), "event_ids": ids})
        return
    console.print(f"[green]{len(ids)} accepted[/green] for agent {shown(agent)}")


@group.command(epilog=examples("archon feedback count tool-picker"))
def count(
    agent: Annotated[str, typer.Argument(help="Agent whose feedback is counted.")],
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show how much feedback of an agent is stored; an event that was sent again counts once."""
    with connect(url, api_key) as gateway:
        counters = gateway.get(f"/v1/agents/{agent}").get("feedback_totals") or {}
    if as_json:
        print_json(counters)
        return
    console.print(table(f"stored feedback of {agent}", ("what", "events"), counters.items()))


def _build_event(fields: dict[str, Any], interaction: str | None) -> dict[str, Any]:
    event = {name: value for name, value in fields.items() if value is not None}
    return {"interaction_id": interaction or str(new_id()), **event}


def _json(value: str | None) -> Any:
    """An object, array or quoted text as JSON; anything else is text, digits and `true` too."""
    if value is None or not value.lstrip().startswith(("{", "[", '"')):
        return value
    try:
        return parse_json(value)
    except ValueError as error:
        try:
            json.loads(value)
        except ValueError:
            return value  # only looks like JSON
        raise CommandError(f"This JSON cannot be stored: {error}.") from None


def _read(path: Path) -> list[dict[str, Any]]:
    events = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            event = parse_json(line)
        except ValueError as error:
            raise CommandError(f"Line {number} of {path} is not JSON: {error}.") from None
        if not isinstance(event, dict):
            raise CommandError(f"Line {number} of {path} is not a JSON object.")
        events.append({"interaction_id": str(new_id()), **event})
    return events
