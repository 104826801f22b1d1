"""The life of a job, as one table: in a state, an event leads to the next state.

Whatever is not in the table changes nothing: a late, duplicate or misplaced event is logged and
ignored. `python -m services.coordinator.jobs.state_machine` prints diagram and table for the
README.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from archon_contracts.events import JobState


class JobEvent(StrEnum):
    """What can happen to a job."""

    REFUSED = "refused"  # its tenant has too many jobs that have not ended
    STARTED = "started"  # its agent is known and runs no other job
    UPDATE_STARTED = "update started"  # the same on the fast path: its plan is known
    PLANNED = "planned"
    PREPARED = "prepared"
    UPDATE_PREPARED = "update prepared"  # the same on the fast path: it takes no slot
    SLOT_GRANTED = "slot granted"
    TRAINED = "trained"
    ATTEMPT_LOST = "attempt lost"  # the training failed or went silent; another try is left
    GATE_PASSED = "gate passed"
    GATE_REJECTED = "gate rejected"
    # The fine-tuned candidate was refused; the closed form of its training takes its place.
    CLOSED_FORM_TAKEN = "closed form taken"
    ESCALATED = "escalated"  # refused for forgetting; a stronger strategy follows
    REGISTERED = "registered"
    REVIEW_REQUESTED = "review requested"  # its version is ready, and a person decides
    DEPLOYED = "deployed"
    ROLLOUT_ENDED = "rollout ended"  # its experiment did, and the deployed version stays
    # Somebody deployed or rolled back since the gate decided.
    DEPLOYED_CHANGED = "deployed version changed"
    GAVE_UP = "gave up"  # the stage cannot be done
    CANCELLED = "cancelled"


ACTIVE_STATES: Final = tuple(
    state for state in JobState if not state.is_final and state is not JobState.REQUESTED
)

UNLEARNT_STATES: Final = frozenset({JobState.REJECTED, JobState.FAILED, JobState.CANCELLED})
"""Ends without a version: the feedback of the job's window was not learnt."""

_FORWARD: Final = {
    (JobState.REQUESTED, JobEvent.REFUSED): JobState.REJECTED,
    (JobState.REQUESTED, JobEvent.STARTED): JobState.PLANNING,
    (JobState.REQUESTED, JobEvent.UPDATE_STARTED): JobState.PREPARING,
    (JobState.PLANNING, JobEvent.PLANNED): JobState.PREPARING,
    (JobState.PREPARING, JobEvent.PREPARED): JobState.QUEUED,
    (JobState.PREPARING, JobEvent.UPDATE_PREPARED): JobState.TRAINING,
    (JobState.QUEUED, JobEvent.SLOT_GRANTED): JobState.TRAINING,
    (JobState.TRAINING, JobEvent.TRAINED): JobState.EVALUATING,
    # Its slot is gone with the attempt, so it waits for another like any queued job.
    (JobState.TRAINING, JobEvent.ATTEMPT_LOST): JobState.QUEUED,
    (JobState.EVALUATING, JobEvent.GATE_PASSED): JobState.REGISTERING,
    (JobState.EVALUATING, JobEvent.GATE_REJECTED): JobState.REJECTED,
    # Its predictions are known: it answered the same items beside the refused candidate.
    (JobState.EVALUATING, JobEvent.CLOSED_FORM_TAKEN): JobState.EVALUATING,
    # Its dataset is prepared anew: a stronger strategy replays more.
    (JobState.EVALUATING, JobEvent.ESCALATED): JobState.PREPARING,
    (JobState.REGISTERING, JobEvent.REGISTERED): JobState.ROLLING_OUT,
    (JobState.REGISTERING, JobEvent.REVIEW_REQUESTED): JobState.COMPLETED,
    (JobState.ROLLING_OUT, JobEvent.DEPLOYED): JobState.COMPLETED,
    (JobState.ROLLING_OUT, JobEvent.ROLLOUT_ENDED): JobState.REJECTED,
    # The gate compared it with a version that is no longer deployed.
    (JobState.ROLLING_OUT, JobEvent.DEPLOYED_CHANGED): JobState.EVALUATING,
}
_ENDINGS: Final = {
    (state, event): end
    for state in JobState
    if not state.is_final
    for event, end in (
        (JobEvent.GAVE_UP, JobState.FAILED),
        (JobEvent.CANCELLED, JobState.CANCELLED),
    )
}
TRANSITIONS: Final[Mapping[tuple[JobState, JobEvent], JobState]] = MappingProxyType(
    _FORWARD | _ENDINGS
)


def next_state(state: JobState, event: JobEvent) -> JobState | None:
    """Where the event leads, or None when it means nothing in this state."""
    return TRANSITIONS.get((state, event))


def render_table() -> str:
    """The table in Markdown; endings that every state shares are one row each."""
    lines = ["| state | event | next state |", "|---|---|---|"]
    lines += [f"| {state} | {event} | {end} |" for (state, event), end in _FORWARD.items()]
    lines += [
        f"| any that is not final | {event} | {end} |"
        for event, end in {event: end for (_, event), end in _ENDINGS.items()}.items()
    ]
    return "\n".join(lines)


def render_diagram() -> str:
    """The same as a Mermaid diagram; endings that every state shares are a note."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {JobState.REQUESTED}"]
    lines += [f"    {state} --> {end}: {event}" for (state, event), end in _FORWARD.items()]
    lines += [f"    {state} --> [*]" for state in JobState if state.is_final]
    lines.append(f"    note right of {JobState.REQUESTED}")
    lines.append("        from any state that is not final:")
    endings = {event: end for (_, event), end in _ENDINGS.items()}
    lines += [f"        {event} leads to {end}" for event, end in endings.items()]
    return "\n".join([*lines, "    end note", "```"])


if __name__ == "__main__":
    sys.stdout.write(f"{render_diagram()}\n\n{render_table()}\n")
