"""`archon open`: the dashboard, signed in by a link that works once."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json
from deploy.cli.target import connect

EXAMPLES = examples("archon open", "archon open --page /jobs --print")


def open_page(
    page: Annotated[str, typer.Option(help="Page to go to after sign-in.")] = "/",
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the link; open no browser.")
    ] = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Open the dashboard by a sign-in link that works once, within five minutes.

    Who has the link has the permissions of the key, so send it to nobody.
    """
    with connect(url, api_key) as gateway:
        made = gateway.post("/v1/sign-in-links", {"next": page})
        link = f"{gateway.url}{made['path']}"
    if as_json:
        print_json({"link": link, "expires_at": made["expires_at"]})
        return
    opened = not only_print and webbrowser.open(link)
    if opened:
        console.print("opened the dashboard in your browser; the link there works once")
        return
    # Alone on its line and not folded, so that it can be copied.
    console.print(link, soft_wrap=True, highlight=False, markup=False)
