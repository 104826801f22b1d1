"""When feedback is worth a retrain: small pure conditions, and how a policy combines them.

The coordinator decides with them, and a back-test replays history through the same functions. No
module here knows a clock, a database or randomness.
"""

from archon_contracts.triggers.combining import Firing, decide, next_check_at, spend
from archon_contracts.triggers.stream import (
    ObservedAnswer,
    RatingSums,
    StreamState,
    observe,
    start_version,
    start_window,
)
from archon_contracts.triggers.view import TriggerView

__all__ = [
    "Firing",
    "ObservedAnswer",
    "RatingSums",
    "StreamState",
    "TriggerView",
    "decide",
    "next_check_at",
    "observe",
    "spend",
    "start_version",
    "start_window",
]
