"""Commands that the registry cannot carry out.

ArchonError
└── PermanentError
    ├── UnknownVersion       the agent has no such version
    ├── NothingToRollBackTo  no version was deployed before the present one
    └── InvalidVersion       a version is not MAJOR.MINOR.PATCH
"""

from __future__ import annotations

from shared.errors import PermanentError


class UnknownVersion(PermanentError):
    """The agent has no such version; the command names one that was never registered."""


class NothingToRollBackTo(PermanentError):
    """No version was deployed before the present one, so there is none to return to."""


class InvalidVersion(PermanentError):
    """A version is three whole numbers joined by dots."""
