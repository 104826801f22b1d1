"""Wait for work that the gateway has started, and end with its failure."""

import time
from typing import Any, Final

import typer

from deploy.cli.errors import FAILED, CommandError
from deploy.cli.output import console, shown
from deploy.gateway_client import GatewayClient

POLL_SECONDS: Final = 1.0


def wait_for_end(gateway: GatewayClient, path: str, timeout: float) -> dict[str, Any]:
    """What is at `path` once it is completed; exits with 1 when it failed.

    Raises:
        CommandError: it has not ended in time; the work goes on.
    """
    end = time.monotonic() + timeout
    while True:
        found: dict[str, Any] = gateway.get(path)
        if found["state"] == "completed":
            return found
        if found["state"] in ("failed", "cancelled"):
            console.print(f"[red]{found['state']}[/red]: {shown(found['failure']['reason'])}")
            raise typer.Exit(FAILED)
        if time.monotonic() > end:
            raise CommandError(
                f"It has not ended in {timeout:g} s and goes on: look at {path}, or name a longer "
                f"--timeout.{_cancelled_by(path)}"
            )
        time.sleep(POLL_SECONDS)


def _cancelled_by(path: str) -> str:
    kind, _, work = path.removeprefix("/v1/").partition("/")
    return f" It ends with `archon benchmarks cancel {work}`." if kind == "benchmarks" else ""
