"""Why an evaluation cannot be done.

    ArchonError
    └── PermanentError
        ├── EmptySuite        there is nothing to score on
        ├── SuiteInvalid      a line of the suite is not an item
        ├── MetricInvalid     an entry point names no metric
        ├── AgentUnusable     what should be evaluated cannot be asked
        ├── NothingToAnalyse  a log has no interaction to read
        ├── NothingToCompare  the command names no model to stand beside the candidate
        └── Unscorable        no item distinguishes right from wrong

What a child process says of itself arrives as `ChildFailed` or `ChildCrashed` (shared.errors).
"""

from __future__ import annotations

from shared.errors import PermanentError


class EmptySuite(PermanentError):
    """The folder of items holds no file of items, or the file holds none."""


class SuiteInvalid(PermanentError):
    """A line of the suite is not an item; the message names file, line and field."""


class NothingToCompare(PermanentError):
    """Neither a deployed version nor a base model was named, so no gain could be shown."""


class NothingToAnalyse(PermanentError):
    """A log holds no interaction that can be read."""


class Unscorable(PermanentError):
    """No item has a right answer, or the models did not answer the same items."""


class MetricInvalid(PermanentError):
    """An entry point of `archon.metrics` is no metric that can be used."""


class AgentUnusable(PermanentError):
    """The agent to evaluate cannot be asked; the message names the option or field and the fix."""
