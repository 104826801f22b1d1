"""Policies that make no sense are refused; every scored answer is one number."""

import pytest
from pydantic import ValidationError

from archon_contracts.rules.answer_outcome import outcome_of
from archon_contracts.rules.rollout_policy import RolloutMode, RolloutPolicy
from archon_contracts.values import AgentKind, AgentProfile


def test_a_profile_without_a_policy_deploys_at_once() -> None:
    profile = AgentProfile(agent_id="a", kind=AgentKind.CLASSIFIER, base_model="pypi:x")

    assert profile.rollout.mode is RolloutMode.IMMEDIATE


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("canary_shares", (0.5, 0.1)),
        ("canary_shares", (0.5, 0.5)),
        ("canary_shares", ()),
        ("canary_shares", (0.5, 1.0)),
        ("treatment_share", 0.0),
        ("treatment_share", True),
        ("alpha", 0.0),
        ("alpha", 0.9),
        ("maximum_answers", 10),
        ("mode", "all of it"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        RolloutPolicy.model_validate({field: value})


@pytest.mark.parametrize(
    ("is_right", "reward", "rating", "outcome"),
    [
        (True, -1.0, 1.0, 1.0),
        (False, 1.0, 5.0, 0.0),
        (None, 0.5, 1.0, 0.75),
        (None, None, 1.0, 0.0),
        (None, None, 5.0, 1.0),
        (None, None, 4.0, 0.75),
        (None, None, None, None),
    ],
)
def test_a_correction_outweighs_a_reward_and_a_reward_a_rating(
    is_right: bool | None, reward: float | None, rating: float | None, outcome: float | None
) -> None:
    assert outcome_of(is_right=is_right, reward=reward, rating=rating) == outcome
