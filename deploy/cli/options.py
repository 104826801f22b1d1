"""Options that most commands share."""

from typing import Annotated

import typer

Url = Annotated[
    str | None,
    typer.Option("--url", help="Gateway; else ARCHON_URL, else the system started here."),
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", help="API key; else ARCHON_API_KEY, else the local one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]

Broker = Annotated[
    str | None,
    typer.Option(
        "--broker",
        help="embedded (default), kafka (a node run from KAFKA_HOME), or HOST:PORT,... of one that "
        "is there; its TLS and SASL are ARCHON_KAFKA_... settings.",
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database", help="embedded (default), or postgresql://... of one that is there."
    ),
]


def examples(*lines: str) -> str:
    """Examples for the foot of a command's help, one a line."""
    return "[bold]Examples[/bold]\n\n" + "\n\n".join(f"  {line}" for line in lines)
