"""`archon open`: the dashboard, signed in by a link that works once."""

from __future__ import annotations

import webbrowser
from typing import Annotated, Any

import typer

from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json
from deploy.cli.target import connect
from deploy.gateway_client import GatewayClient

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
        if not as_json and not only_print:
            open_signed_in(gateway, page)
            return
        link, made = make_link(gateway, page)
    if as_json:
        print_json({"link": link, "expires_at": made["expires_at"]})
        return
    _print_link(link)


def make_link(gateway: GatewayClient, page: str) -> tuple[str, dict[str, Any]]:
    """A link to a page that signs in once, and what the gateway says of it."""
    made = gateway.post("/v1/sign-in-links", {"next": page})
    return f"{gateway.url}{made['path']}", made


def open_signed_in(gateway: GatewayClient, page: str) -> None:
    """Open a page of the dashboard in a browser; without one the link is printed."""
    link, _ = make_link(gateway, page)
    if webbrowser.open(link):
        console.print("opened the dashboard in your browser; the link there works once")
        return
    _print_link(link)


def _print_link(link: str) -> None:
    # Alone on its line and not folded, so that it can be copied.
    console.print(link, soft_wrap=True, highlight=False, markup=False)
