"""Values of the coordinator."""

from datetime import timedelta

from archon_contracts.events import JobState
from archon_contracts.values import TrainingConfig
from services.coordinator.domain import (
    AgentKey,
    Transition,
    job_id_of,
    merged_config,
    stage_seconds,
    window_id_of,
)
from tests.support.messaging.messages import NOON


def entered(state: JobState, second: int) -> Transition:
    """The state was entered so long after noon."""
    return Transition(state, NOON + timedelta(seconds=second))


def test_the_same_window_and_job_always_have_the_same_ids() -> None:
    key = AgentKey("t", "a")

    assert window_id_of(key, 1) == window_id_of(AgentKey("t", "a"), 1)
    assert window_id_of(key, 1) != window_id_of(key, 2)
    assert window_id_of(key, 1) != window_id_of(AgentKey("t/a", ""), 1)
    assert job_id_of(window_id_of(key, 1)) == job_id_of(window_id_of(key, 1))


def test_a_state_that_was_entered_twice_counts_both_stays() -> None:
    history = [
        entered(JobState.QUEUED, 0),
        entered(JobState.TRAINING, 1),
        entered(JobState.QUEUED, 5),
        entered(JobState.TRAINING, 7),
        entered(JobState.EVALUATING, 17),
    ]

    assert stage_seconds(history) == {"queued": 3.0, "training": 14.0}


def test_a_wish_replaces_only_what_it_names() -> None:
    profile = TrainingConfig(epochs=3, batch_size=8, seed=4)

    merged = merged_config(profile, TrainingConfig.model_validate({"epochs": 1}))

    assert (merged.epochs, merged.batch_size, merged.seed) == (1, 8, 4)
