"""The `archon` command: start the system, send feedback, follow jobs, models and traces.

Every command prints for a person, or with `--json` for a program. Errors are one sentence on
standard error: exit code 1 when something went wrong, 2 when the command line is wrong.
"""

from deploy.cli.main import app

__all__ = ["app"]
