"""Commands of the gateway whose answer says only that they were taken."""

from typing import Any

from deploy.cli.output import console, print_json
from deploy.cli.target import connect


def send_command(
    url: str | None,
    api_key: str | None,
    path: str,
    body: Any = None,
    *,
    done: str,
    as_json: bool,
) -> None:
    """POST to the gateway; print its answer as JSON, or `done`, where fields are `shown`."""
    with connect(url, api_key) as gateway:
        found = gateway.post(path, body)
    if as_json:
        print_json(found)
        return
    console.print(done)
