"""What can go wrong in data preparation.

PermanentError
├── UnreadableSource      a source, catalogue or suite folder is not what it should be
└── PreparationTimedOut   a child did not prepare its dataset before the deadline
"""

from __future__ import annotations

from shared.errors import PermanentError


class UnreadableSource(PermanentError):
    """A folder that the command names does not hold the file that it should."""


class PreparationTimedOut(PermanentError):
    """A child did not prepare its dataset before the deadline."""
