"""What can go wrong in the curriculum service.

PermanentError
└── BrokenPlan      a stored plan does not fit the contract any more
"""

from __future__ import annotations

from shared.errors import PermanentError


class BrokenPlan(PermanentError):
    """A stored plan does not fit the contract any more."""
