"""Why a training ends without a model.

    ArchonError
    └── PermanentError
        └── NoTrainingSteps   the run did not do a single optimizer step

What a child process says of itself arrives as `ChildFailed` or `ChildCrashed` (shared.errors).
"""

from __future__ import annotations

from shared.errors import PermanentError


class NoTrainingSteps(PermanentError):
    """The run did not do a single optimizer step, so its model is no candidate."""
