"""How a failure reaches a person: one sentence on standard error, never a stack trace."""

from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from deploy.demo.bfcl import BenchmarkMissingError
from deploy.demo.errors import DemoError
from deploy.gateway_client import ApiError
from deploy.local.errors import LocalRuntimeError
from deploy.printable import printable
from shared.errors import ArchonError

FAILED = 1


class CommandError(Exception):
    """A command cannot go on; the message is one sentence that names the fix."""


KNOWN_FAILURES = (
    CommandError,
    ApiError,
    LocalRuntimeError,
    ArchonError,
    DemoError,
    BenchmarkMissingError,
)


class OneSentenceErrors(TyperGroup):
    """The top of the command tree: prints the known failures and exits with code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command named on the command line."""
        try:
            return super().invoke(ctx)
        except KNOWN_FAILURES as error:
            sentence = str(error)
        except ValidationError as error:
            sentence = _settings_sentence(error)
        except OSError as error:
            where = f" {error.filename}" if error.filename else ""
            sentence = f"{error.strerror or error}{where}."
        typer.echo(f"archon: {printable(sentence)}", err=True)
        raise typer.Exit(FAILED)


def _settings_sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(component) for component in first["loc"]) or error.title
    return f"{field} is not right: {first['msg']}."
