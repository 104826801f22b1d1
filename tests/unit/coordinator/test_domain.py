"""Values of the coordinator."""

from datetime import timedelta

from archon_contracts.events import JobState, TrainingRequested
from archon_contracts.identifiers import new_id
from archon_contracts.values import TrainingConfig
from services.coordinator.domain import (
    AgentKey,
    JobTransition,
    derive_job_id,
    derive_window_id,
    merge_config,
    stage_seconds,
)
from tests.support.messaging.messages import NOON


def entered(state: JobState, second: int) -> JobTransition:
    """The state was entered so long after noon."""
    return JobTransition(state, NOON + timedelta(seconds=second))


def test_the_same_window_and_job_always_have_the_same_ids() -> None:
    key = AgentKey("t", "a")

    assert derive_window_id(key, 1) == derive_window_id(AgentKey("t", "a"), 1)
    assert derive_window_id(key, 1) != derive_window_id(key, 2)
    assert derive_window_id(key, 1) != derive_window_id(AgentKey("t/a", ""), 1)
    assert derive_job_id(derive_window_id(key, 1)) == derive_job_id(derive_window_id(key, 1))


def test_a_state_that_was_entered_twice_counts_both_stays() -> None:
    history = [
        entered(JobState.QUEUED, 0),
        entered(JobState.TRAINING, 1),
        entered(JobState.QUEUED, 5),
        entered(JobState.TRAINING, 7),
        entered(JobState.EVALUATING, 17),
    ]

    assert stage_seconds(history) == {"queued": 3.0, "training": 14.0}


def test_a_request_replaces_only_what_it_names() -> None:
    profile = TrainingConfig(epochs=3, batch_size=8, seed=4)

    merged = merge_config(profile, TrainingConfig.model_validate({"epochs": 1}))

    assert (merged.epochs, merged.batch_size, merged.seed) == (1, 8, 4)


def test_a_request_without_a_seed_keeps_the_profiles_after_the_wire() -> None:
    profile = TrainingConfig(seed=4)
    request = TrainingRequested(
        job_id=new_id(), agent_id="a", method="supervised", config=TrainingConfig(epochs=1)
    )

    received = TrainingRequested.model_validate_json(request.to_bytes())

    assert merge_config(profile, received.config) == TrainingConfig(epochs=1, seed=4)
