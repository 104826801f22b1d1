"""How a failure reaches a person: one sentence on standard error, never a stack trace."""

from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from deploy.demo.bfcl import BenchmarkMissingError
from deploy.demo.errors import DemoError
from deploy.gateway_client import ApiError
from deploy.local.errors import LocalRuntimeError, UnusableChoiceError
from deploy.printable import printable
from shared.errors import ArchonError

FAILED = 1
MISUSED = 2
"""As for an unknown option: what was asked for cannot be done, and trying again will not help."""


class CommandError(Exception):
    """A command cannot go on; the message is one sentence that names the fix."""


class NotEvaluatedError(CommandError):
    """Nothing could be evaluated; the command ends with 2, as 1 says that an agent did not pass."""


KNOWN_FAILURES = (
    CommandError,
    ApiError,
    LocalRuntimeError,
    ArchonError,
    DemoError,
    BenchmarkMissingError,
)


class OneSentenceErrors(TyperGroup):
    """The top of the command tree: prints the known failures and exits with 1 or 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command named on the command line."""
        code = FAILED
        try:
            return super().invoke(ctx)
        except KNOWN_FAILURES as error:
            sentence = str(error)
            code = MISUSED if isinstance(error, UnusableChoiceError | NotEvaluatedError) else FAILED
        except ValidationError as error:
            sentence = _settings_sentence(error)
        except OSError as error:
            where = f" {error.filename}" if error.filename else ""
            sentence = f"{error.strerror or error}{where}."
        typer.echo(f"archon: {printable(sentence)}", err=True)
        raise typer.Exit(code)


def _settings_sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(component) for component in first["loc"]) or error.title
    return f"{field} is not right: {first['msg']}."
