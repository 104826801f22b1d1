"""What follows from an experiment's counts."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.rules.rollout_policy import RolloutPolicy, UndecidedExperiment
from services.registry.rollout.experiments import (
    ArmCounts,
    ExperimentKind,
    ExperimentState,
    VersionComparison,
)
from services.registry.rollout.steps import Advance, End, Stay, choose_step
from tests.support.messaging.messages import NOON
from tests.support.rollouts import comparison, scored

LATER = NOON + timedelta(days=400)


def run(
    experiment: VersionComparison, control: tuple[int, int], treatment: tuple[int, int], times: int
) -> VersionComparison:
    """The experiment after portions of right and wrong answers."""
    for _ in range(times):
        experiment = experiment.add(scored(*control), scored(*treatment))
    return experiment


def test_a_better_candidate_is_promoted() -> None:
    experiment = run(comparison(ExperimentKind.AB_TEST), (5, 5), (8, 2), 10)

    step = choose_step(experiment, NOON)

    assert isinstance(step, End)
    assert step.state is ExperimentState.PROMOTED
    assert "0.800 of 100 scored answers of 1.1.0, 0.500 of 100 of 1.0.0" in step.reason


@pytest.mark.parametrize("kind", [ExperimentKind.AB_TEST, ExperimentKind.CANARY])
def test_a_worse_candidate_ends_its_experiment(kind: ExperimentKind) -> None:
    experiment = run(comparison(kind), (8, 2), (3, 7), 9)

    step = choose_step(experiment, NOON)

    assert isinstance(step, End)
    assert (step.state, step.regressed) == (ExperimentState.KEPT, "outcome")


@pytest.mark.parametrize(
    ("undecided", "state"),
    [
        (UndecidedExperiment.KEEP, ExperimentState.KEPT),
        (UndecidedExperiment.PROMOTE, ExperimentState.PROMOTED),
    ],
)
def test_what_cannot_be_decided_any_more_follows_the_policy(
    undecided: UndecidedExperiment, state: ExperimentState
) -> None:
    policy = RolloutPolicy(maximum_answers=200, undecided=undecided)
    experiment = run(comparison(ExperimentKind.AB_TEST, policy=policy), (7, 3), (7, 3), 8)

    step = choose_step(experiment, NOON)

    assert isinstance(step, End)
    assert step.state is state


def test_a_canary_grows_and_is_deployed_after_its_last_part() -> None:
    policy = RolloutPolicy(canary_shares=(0.1, 0.4), step_answers=50)
    experiment = run(comparison(ExperimentKind.CANARY, policy=policy, share=0.1), (8, 2), (8, 2), 5)

    step = choose_step(experiment, NOON)
    grown = experiment.advance()

    assert isinstance(step, Advance)
    assert (grown.step, grown.share) == (2, 0.4)
    assert isinstance(choose_step(grown, NOON), Stay)
    last = choose_step(run(grown, (8, 2), (8, 2), 5), NOON)
    assert isinstance(last, End)
    assert last.state is ExperimentState.PROMOTED


def test_failures_of_the_candidate_end_its_experiment_at_once() -> None:
    experiment = comparison(ExperimentKind.AB_TEST).add(
        scored(0, interactions=500, failed=2), scored(0, interactions=500, failed=60)
    )

    step = choose_step(experiment, NOON)

    assert isinstance(step, End)
    assert (step.state, step.regressed) == (ExperimentState.KEPT, "error_rate")
    assert "error_rate 0.120 of 500 answers" in step.reason


def test_slow_answers_of_the_candidate_end_its_experiment_at_once() -> None:
    fast, slow = {-20: 480, -10: 20}, {-20: 300, 0: 200}
    experiment = comparison(ExperimentKind.CANARY).add(
        ArmCounts(interactions=500, latencies=fast), ArmCounts(interactions=500, latencies=slow)
    )

    step = choose_step(experiment, NOON)

    assert isinstance(step, End)
    assert step.regressed == "slow_rate"


@pytest.mark.parametrize(
    ("bucket", "watched", "is_rolled_back"),
    [
        (-17, timedelta(minutes=5), False),  # somewhat slower: the machine may have more to do
        (-4, timedelta(minutes=1), False),  # much slower, but it has only begun
        (-4, timedelta(minutes=5), True),
    ],
)
def test_a_watch_rolls_back_for_latency_that_is_much_worse_and_stays(
    bucket: int, watched: timedelta, is_rolled_back: bool
) -> None:
    before, after = {-20: 480, -10: 20}, {-20: 300, bucket: 200}
    experiment = comparison(ExperimentKind.WATCH).add(
        ArmCounts(interactions=500, latencies=before), ArmCounts(interactions=500, latencies=after)
    )

    step = choose_step(experiment, experiment.started_at + watched)

    assert isinstance(step, End) is is_rolled_back
    if isinstance(step, End):
        assert (step.state, step.regressed) == (ExperimentState.ROLLED_BACK, "slow_rate")


def test_a_slow_beginning_rolls_nothing_back() -> None:
    experiment = comparison(ExperimentKind.WATCH).add(
        ArmCounts(interactions=2000, latencies={-20: 1996, 0: 4}),
        ArmCounts(interactions=300, latencies={-20: 290, 0: 10}),
    )

    step = choose_step(experiment, experiment.started_at + timedelta(minutes=10))

    assert isinstance(step, Stay)


def test_guardrails_can_be_turned_off() -> None:
    policy = RolloutPolicy(guardrails=False)
    experiment = comparison(ExperimentKind.AB_TEST, policy=policy).add(
        scored(0, interactions=500), scored(0, interactions=500, failed=60)
    )

    assert isinstance(choose_step(experiment, NOON), Stay)


def test_traffic_that_is_not_divided_as_it_should_be_ends_a_test() -> None:
    experiment = comparison(ExperimentKind.AB_TEST)
    experiment = experiment.add(scored(0, interactions=5000), scored(0, interactions=9))
    experiment = experiment.add(scored(0, interactions=900), scored(0, interactions=600))

    step = choose_step(experiment, NOON)

    assert isinstance(step, End)
    assert "600 of 1500 requests where its part is 0.5" in step.reason


def test_answers_before_agents_knew_of_a_test_are_no_mismatch() -> None:
    experiment = comparison(ExperimentKind.AB_TEST)
    experiment = experiment.add(scored(0, interactions=5000), ArmCounts())
    experiment = experiment.add(scored(0, interactions=200), scored(0, interactions=200))

    assert isinstance(choose_step(experiment, NOON), Stay)


@pytest.mark.parametrize("kind", list(ExperimentKind))
def test_time_ends_every_experiment_and_keeps_what_is_deployed(kind: ExperimentKind) -> None:
    step = choose_step(comparison(kind), LATER)

    assert isinstance(step, End)
    assert step.state is ExperimentState.KEPT


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=5),
    st.sampled_from([ExperimentKind.SHADOW, ExperimentKind.CANARY, ExperimentKind.AB_TEST]),
)
def test_a_clock_that_jumps_back_only_delays(
    portions: list[tuple[int, int]], kind: ExperimentKind
) -> None:
    experiment = comparison(kind)
    for control, treatment in portions:
        experiment = experiment.add(scored(control), scored(treatment))

    assert choose_step(experiment, NOON) == choose_step(experiment, NOON - timedelta(days=9999))


def test_a_worse_version_is_rolled_back() -> None:
    experiment = comparison(ExperimentKind.WATCH, control_counts=scored(1600, 400))

    step = choose_step(run(experiment, (0, 0), (65, 35), 3), NOON)

    assert isinstance(step, End)
    assert (step.state, step.regressed) == (ExperimentState.ROLLED_BACK, "outcome")
    assert "version 1.1.0 got worse: mean outcome 0.650 of 300 scored answers" in step.reason


def test_nothing_is_rolled_back_shortly_after_a_rollback() -> None:
    experiment = comparison(ExperimentKind.WATCH, control_counts=scored(1600, 400))
    worse = run(experiment, (0, 0), (65, 35), 3)

    assert isinstance(choose_step(worse, NOON, may_roll_back=False), Stay)
    over = choose_step(worse, LATER, may_roll_back=False)
    assert isinstance(over, End)
    assert over.state is ExperimentState.KEPT


def test_a_version_as_good_as_the_one_before_is_watched_no_longer() -> None:
    policy = RolloutPolicy(rollback_answers=300)
    experiment = comparison(ExperimentKind.WATCH, policy=policy, control_counts=scored(800, 200))

    step = choose_step(run(experiment, (0, 0), (80, 20), 3), NOON)

    assert isinstance(step, End)
    assert step.state is ExperimentState.KEPT


def test_a_version_without_one_before_it_that_answered_is_not_rolled_back() -> None:
    experiment = run(comparison(ExperimentKind.WATCH), (0, 0), (0, 100), 3)

    assert isinstance(choose_step(experiment, NOON), Stay)
