"""`archon feedback`: send feedback on an answer, and see how many records came in."""

import json
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from pydantic import ValidationError

from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import derived_id, new_id
from archon_contracts.rules.bounds import MAX_EVENT_BYTES
from archon_contracts.rules.json_values import parse_json
from deploy.cli.errors import CommandError
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, shown, table
from deploy.cli.target import connect
from deploy.gateway_client import ApiError

BATCH = 100


class FeedbackLine(NamedTuple):
    """An event and the line of its file."""

    number: int
    event: dict[str, Any]


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
    file: Annotated[
        Path | None, typer.Option(help="JSON lines, one event each; sent again they count once.")
    ] = None,
    max_event_bytes: Annotated[
        int, typer.Option(min=1, help="The gateway's limit of one event, for --file.")
    ] = MAX_EVENT_BYTES,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Send one event, or a file of them; returns when the broker has stored them."""
    if (file is None) == (input is None):
        raise CommandError("Give either --input for one event or --file for many.")
    fields = {"actual": _json(actual), "expected": _json(expected)}
    fields |= {"input": _json(input), "rating": rating, "reward": reward}
    events = _read(file) if file else [FeedbackLine(1, _build_event(fields, interaction))]
    ids: list[str] = []
    events = [FeedbackLine(each.number, {**each.event, "agent_id": agent}) for each in events]
    _require_valid(events, file, max_event_bytes)
    with connect(url, api_key) as gateway:
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            try:
                body = {"events": [each.event for each in batch]}
                ids += gateway.post("/v1/feedback", body)["event_ids"]
            except ApiError as error:
                if file is None:
                    raise
                raise CommandError(_interrupted(error, len(ids), batch)) from error
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


def _read(path: Path) -> list[FeedbackLine]:
    events = []
    seen: Counter[bytes] = Counter()
    # Bytes, for neither the locale nor separators within a text (U+2028) may decide what a line is.
    for number, raw in enumerate(path.read_bytes().removeprefix(BOM_UTF8).split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            event = parse_json(raw.decode())
        except UnicodeDecodeError:
            raise CommandError(
                f"Line {number} of {path} is not UTF-8: convert the file, for example with "
                "`iconv -f latin1 -t utf-8`."
            ) from None
        except (ValueError, RecursionError) as error:
            raise CommandError(f"Line {number} of {path} is not JSON: {error}.") from None
        if not isinstance(event, dict):
            raise CommandError(f"Line {number} of {path} is not a JSON object.")
        # Derived from the line, so that a file that is sent again counts once; not from its
        # number, so that other lines may be mended or removed.
        seen[raw.strip()] += 1
        derived = str(derived_id("feedback-file", path.name, raw.strip().hex(), seen[raw.strip()]))
        events.append(FeedbackLine(number, {"interaction_id": derived, **event}))
    return events


def _require_valid(events: Sequence[FeedbackLine], file: Path | None, maximum: int) -> None:
    """Check every event of a file before the first is sent."""
    for number, event in events if file else ():
        try:
            checked = FeedbackReceived.model_validate_json(json.dumps(event), extra="forbid")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"])) or "event"
            raise CommandError(
                f"Line {number} of {file}: {field}: {first['msg']}. Nothing was sent."
            ) from None
        if (size := len(checked.to_bytes())) > maximum:
            raise CommandError(
                f"Line {number} of {file} has {size} bytes, {maximum} are allowed: shorten its "
                "input or answer, or name the gateway's own limit with --max-event-bytes. "
                "Nothing was sent."
            )


def _interrupted(error: ApiError, sent: int, batch: Sequence[FeedbackLine]) -> str:
    """The refusal of a batch, with the line that it is about where one is named."""
    named = re.search(r"events\[(\d+)\]", str(error))
    first, last = batch[0].number, batch[-1].number
    at = f"line {batch[int(named[1])].number}" if named else f"lines {first} to {last}"
    return (
        f"{sent} events were accepted; {at} was refused: {error} "
        "Send the same file again once it is mended: lines that did not change count once."
    )
