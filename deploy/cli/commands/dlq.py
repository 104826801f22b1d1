"""`archon dlq`: messages that a service could not handle, and why; send one again."""

from typing import Annotated

import typer

from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import ago, console, print_json, shown, table
from deploy.cli.sending import send_command
from deploy.cli.target import connect

group = typer.Typer(help="List, show and replay dead letters.", no_args_is_help=True)
DeadLetterId = Annotated[str, typer.Argument(help="Dead letter, as `archon dlq list` shows it.")]


@group.command("list", epilog=examples("archon dlq list --service coordinator --limit 20"))
def list_letters(
    service: Annotated[str | None, typer.Option(help="Only of this service.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """List dead letters, newest first."""
    with connect(url, api_key) as gateway:
        found = gateway.items("/v1/dead-letters", most=limit, service=service)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            letter["id"],
            letter["service"],
            letter.get("type"),
            ago(letter.get("at")),
            letter.get("attempts"),
            letter["reason"],
        )
        for letter in found
    )
    columns = ("id", "service", "type", "when", "attempts", "reason")
    console.print(table("dead letters", columns, rows))


@group.command(epilog=examples("archon dlq show coordinator:0:12"))
def show(
    letter: DeadLetterId, url: Url = None, api_key: ApiKey = None, as_json: Json = False
) -> None:
    """Show a dead letter: its headers, its original bytes, why it is here."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/dead-letters/{letter}")
    if as_json:
        print_json(found)
        return
    plain = ((name, value) for name, value in found.items() if name != "headers")
    console.print(table(f"dead letter {letter}", ("what", "value"), plain))
    console.print(table("headers", ("header", "value"), dict(found.get("headers") or {}).items()))


@group.command(epilog=examples("archon dlq replay coordinator:0:12"))
def replay(
    letter: DeadLetterId, url: Url = None, api_key: ApiKey = None, as_json: Json = False
) -> None:
    """Send a dead letter again to the topic it came from."""
    path, done = f"/v1/dead-letters/{letter}/replay", f"replayed {shown(letter)}"
    send_command(url, api_key, path, done=done, as_json=as_json)
