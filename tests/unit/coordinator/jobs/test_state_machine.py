"""The table of transitions."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import services.coordinator
from archon_contracts.events import JobState
from services.coordinator.jobs.state_machine import (
    ACTIVE_STATES,
    TRANSITIONS,
    JobEvent,
    next_state,
    render_diagram,
    render_table,
)

FORWARD = [
    (JobState.REQUESTED, JobEvent.REFUSED, JobState.REJECTED),
    (JobState.REQUESTED, JobEvent.STARTED, JobState.PLANNING),
    (JobState.REQUESTED, JobEvent.UPDATE_STARTED, JobState.PREPARING),
    (JobState.PREPARING, JobEvent.UPDATE_PREPARED, JobState.TRAINING),
    (JobState.PLANNING, JobEvent.PLANNED, JobState.PREPARING),
    (JobState.PREPARING, JobEvent.PREPARED, JobState.QUEUED),
    (JobState.QUEUED, JobEvent.SLOT_GRANTED, JobState.TRAINING),
    (JobState.TRAINING, JobEvent.TRAINED, JobState.EVALUATING),
    (JobState.TRAINING, JobEvent.ATTEMPT_LOST, JobState.QUEUED),
    (JobState.EVALUATING, JobEvent.GATE_PASSED, JobState.REGISTERING),
    (JobState.EVALUATING, JobEvent.GATE_REJECTED, JobState.REJECTED),
    (JobState.EVALUATING, JobEvent.CLOSED_FORM_TAKEN, JobState.EVALUATING),
    (JobState.EVALUATING, JobEvent.ESCALATED, JobState.PREPARING),
    (JobState.REGISTERING, JobEvent.REGISTERED, JobState.ROLLING_OUT),
    (JobState.REGISTERING, JobEvent.REVIEW_REQUESTED, JobState.COMPLETED),
    (JobState.ROLLING_OUT, JobEvent.DEPLOYED, JobState.COMPLETED),
    (JobState.ROLLING_OUT, JobEvent.ROLLOUT_ENDED, JobState.REJECTED),
    (JobState.ROLLING_OUT, JobEvent.DEPLOYED_CHANGED, JobState.EVALUATING),
]
EXPECTED = {(state, event): end for state, event, end in FORWARD}


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("event", JobEvent)
def test_every_pair_of_state_and_event_leads_where_it_should(
    state: JobState, event: JobEvent
) -> None:
    expected = EXPECTED.get((state, event))
    if not state.is_final and event is JobEvent.GAVE_UP:
        expected = JobState.FAILED
    if not state.is_final and event is JobEvent.CANCELLED:
        expected = JobState.CANCELLED

    assert next_state(state, event) is expected


@given(st.lists(st.sampled_from(JobEvent), max_size=60))
def test_no_sequence_of_events_leaves_a_final_state(events: list[JobEvent]) -> None:
    state, ended = JobState.REQUESTED, False
    for event in events:
        following = next_state(state, event)
        assert not (ended and following)
        state = following or state
        ended = state.is_final


@pytest.mark.parametrize("state", [state for state in JobState if not state.is_final])
def test_every_state_can_still_be_completed(state: JobState) -> None:
    reached, new = set(), {state}
    while new:
        reached |= new
        new = {end for (begin, _), end in TRANSITIONS.items() if begin in reached} - reached

    assert {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED} <= reached


def test_the_states_under_way_are_those_of_the_unique_index() -> None:
    migration = Path(services.coordinator.__file__).parent / "sql/migrations/0001_coordinator.sql"
    index = migration.read_text().split("jobs_one_active")[1].split(";")[0]

    assert {state for state in JobState if f"'{state}'" in index} == set(ACTIVE_STATES)


def test_the_readme_shows_the_table_as_it_is() -> None:
    readme = Path(services.coordinator.__file__).parent / "README.md"

    assert render_table() in readme.read_text()
    assert render_diagram() in readme.read_text()


def test_the_diagram_has_every_state_and_every_step() -> None:
    lines = {line.strip() for line in render_diagram().splitlines()}

    for (state, event), end in TRANSITIONS.items():
        shared = event in (JobEvent.GAVE_UP, JobEvent.CANCELLED)
        step = f"{event} leads to {end}" if shared else f"{state} --> {end}: {event}"
        assert step in lines
    assert {f"{state} --> [*]" for state in JobState if state.is_final} <= lines
