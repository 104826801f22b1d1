"""What can go wrong in the curriculum service.

PermanentError
├── BrokenPlan      a stored plan does not fit the contract any more
└── LevelsInvalid   the file of levels does not describe every task type once
"""

from __future__ import annotations

from shared.errors import PermanentError


class BrokenPlan(PermanentError):
    """A stored plan does not fit the contract any more."""


class LevelsInvalid(PermanentError):
    """The file of levels does not describe every task type once."""
