"""What the job's report says of a policy that was learnt from rewards."""

from archon_contracts.metric_names import (
    HELD_OUT_LOGS,
    LOGGED_REWARD,
    POLICY_VALUE,
    POLICY_VALUE_HIGH,
    POLICY_VALUE_LOW,
    REWARDED_ITEMS,
    WITHOUT_PROPENSITY,
)
from services.coordinator.jobs.learning import describe_policy


def test_what_it_would_have_earned_and_how_far_that_is_known() -> None:
    metrics = {
        POLICY_VALUE: 0.61,
        POLICY_VALUE_LOW: 0.5,
        POLICY_VALUE_HIGH: 0.72,
        LOGGED_REWARD: 0.2,
        HELD_OUT_LOGS: 200.0,
        REWARDED_ITEMS: 800.0,
        WITHOUT_PROPENSITY: 12.0,
    }

    assert describe_policy(metrics) == (
        "12 of 800 rewards name no propensity, and count by a model of the rewards alone",
        "on 200 held-out logs it would have earned 0.61 an answer (0.50 to 0.72), "
        "those who answered earned 0.20",
    )


def test_other_methods_say_nothing_of_it() -> None:
    assert describe_policy({"train/loss": 1.0}) == ()
