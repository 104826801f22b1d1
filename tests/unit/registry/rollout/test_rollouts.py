"""Experiments from their beginning to their end, on fakes."""

import pytest

from archon_contracts.commands import RollBackModel
from archon_contracts.events import (
    AgentConfiguration,
    ExperimentAdvanced,
    ExperimentConcluded,
    ExperimentMeasured,
    ExperimentStarted,
    ModelDeployed,
)
from archon_contracts.rules.rollout_policy import RolloutMode, RolloutPolicy
from services.registry.rollout.experiments import ExperimentKind, ExperimentState
from tests.support.messaging.messages import message_of
from tests.support.registry import (
    deploy,
    deploy_for_job,
    register,
)
from tests.support.rollout_harness import TX, RolloutHarness
from tests.support.rollouts import AGENT, configured, policy


@pytest.fixture
async def registry() -> RolloutHarness:
    return RolloutHarness()


async def test_a_jobs_version_begins_a_test_and_agents_learn_of_it(
    registry: RolloutHarness,
) -> None:
    await registry.prepare(policy(RolloutMode.AB_TEST))

    command = await registry.offer()

    started = registry.last(ExperimentStarted)
    configuration = registry.last(AgentConfiguration)
    assert registry.deployed == "1.0.0"
    assert (started.control.version, started.treatment.version) == ("1.0.0", "1.1.0")
    assert started.job_id == command.job_id
    assert configuration.revision == 2
    assert configuration.model.version == "1.0.0"
    assert configuration.experiment.treatment == started.treatment
    versions = {
        configuration.assign(unit_id=f"unit {number}").model.version for number in range(50)
    }
    assert versions == {"1.0.0", "1.1.0"}


@pytest.mark.parametrize("mode", [RolloutMode.IMMEDIATE, RolloutMode.MANUAL])
async def test_other_modes_deploy_what_they_are_asked_for(
    registry: RolloutHarness, mode: RolloutMode
) -> None:
    await registry.prepare(policy(mode))

    await registry.offer()

    assert registry.deployed == "1.1.0"
    assert registry.outbox.of(ExperimentStarted) == []


async def test_an_update_of_the_fast_path_is_deployed_at_once(registry: RolloutHarness) -> None:
    await registry.prepare(policy(RolloutMode.CANARY))
    command = deploy_for_job("1.1.0", "1.0.0").model_copy(update={"at_once": True})

    await registry.service.deploy_model(TX, message_of(command))

    assert registry.deployed == "1.1.0"


async def test_the_first_version_is_deployed_in_every_mode(registry: RolloutHarness) -> None:
    await registry.rollouts.record_policy(TX, message_of(configured(policy(RolloutMode.AB_TEST))))
    await registry.service.register_model(TX, message_of(register()))

    await registry.service.deploy_model(TX, message_of(deploy_for_job("1.0.0", None)))

    assert registry.deployed == "1.0.0"


async def test_a_command_that_comes_again_begins_no_second_test(registry: RolloutHarness) -> None:
    await registry.prepare(policy(RolloutMode.AB_TEST))
    command = await registry.offer()

    await registry.service.deploy_model(TX, message_of(command))

    assert len(registry.outbox.of(ExperimentStarted)) == 1
    assert len(registry.experiments.experiments) == 1


async def test_a_better_candidate_is_deployed_and_its_end_published(
    registry: RolloutHarness,
) -> None:
    await registry.prepare(policy(RolloutMode.AB_TEST))
    command = await registry.offer()

    await registry.count(("1.0.0", 5, 5), ("1.1.0", 8, 2), times=12, interactions=20)

    concluded = registry.last(ExperimentConcluded)
    deployed = registry.last(ModelDeployed)
    assert registry.deployed == "1.1.0"
    assert (concluded.outcome, concluded.winner) == ("promoted", "1.1.0")
    assert [arm.scored for arm in concluded.arms] == [arm.scored for arm in concluded.arms][::-1]
    assert all(arm.feedback_rate == 0.5 for arm in concluded.arms)
    assert 0 < concluded.difference.value < 0.3
    assert deployed.job_id == command.job_id
    assert deployed.actor.startswith("system (experiment")
    assert registry.last(AgentConfiguration).experiment is None
    assert registry.audit.entries[-1].details["experiment_id"] == str(concluded.experiment_id)


async def test_a_worse_candidate_ends_its_test_and_the_deployed_version_stays(
    registry: RolloutHarness,
) -> None:
    await registry.prepare(policy(RolloutMode.AB_TEST))
    await registry.offer()

    await registry.count(("1.0.0", 8, 2), ("1.1.0", 3, 7), times=12)

    concluded = registry.last(ExperimentConcluded)
    configuration = registry.last(AgentConfiguration)
    assert registry.deployed == "1.0.0"
    assert (concluded.outcome, concluded.winner) == ("kept", "1.0.0")
    assert (configuration.experiment, configuration.model.version) == (None, "1.0.0")
    assert registry.outbox.of(RollBackModel) == []


async def test_what_a_test_shows_is_published_as_it_grows_and_at_its_end(
    registry: RolloutHarness,
) -> None:
    await registry.prepare(policy(RolloutMode.AB_TEST))
    await registry.offer()

    await registry.count(("1.0.0", 4, 1), ("1.1.0", 4, 1), interactions=20, times=40)
    looks = registry.outbox.of(ExperimentMeasured)
    grown = len(looks)
    await registry.count(("1.0.0", 60, 60), ("1.1.0", 119, 1), times=3)

    seen = [sum(arm.scored for arm in look.arms) for look in looks[:grown]]
    assert seen == sorted(set(seen))
    assert 10 < grown < 40  # by the part: fewer the more there is
    last = registry.last(ExperimentMeasured)
    ended = registry.last(ExperimentConcluded)
    assert last.arms == ended.arms
    assert last.difference.low > 0
    assert last.division_p_value == 1.0
    assert last.feedback_rate_p_value is not None
    assert last.harm_log_e_value < last.harm_log_limit


async def test_a_report_weighs_outcomes_by_the_probability_of_feedback(
    registry: RolloutHarness,
) -> None:
    await registry.prepare(policy(RolloutMode.AB_TEST))
    await registry.offer()
    # Half of the right answers' users were asked, and every wrong one's.
    sums = {"weighted": 2, "weight_sum": 3.0, "weight_squares": 5.0, "weighted_sum": 2.0}
    await registry.count(
        ("1.1.0", 1, 1), times=30, weighted_products=4.0, weighted_squares=4.0, **sums
    )

    control, treatment = registry.last(ExperimentMeasured).arms
    assert control.weighted_outcome is None
    assert treatment.outcome.value == pytest.approx(0.5)
    assert treatment.weighted_outcome.value == pytest.approx(2 / 3)
    assert treatment.weighted_outcome.n > 40


async def test_a_watch_is_not_published_as_an_experiment(registry: RolloutHarness) -> None:
    await registry.prepare(RolloutPolicy())
    await registry.service.deploy_model(TX, message_of(deploy("1.1.0")))

    await registry.count(("1.1.0", 4, 1), times=5)

    assert registry.outbox.of(ExperimentMeasured) == []


async def test_a_canary_grows_step_by_step(registry: RolloutHarness) -> None:
    shares = {"canary_shares": (0.1, 0.5), "step_answers": 20}
    await registry.prepare(policy(RolloutMode.CANARY, **shares))
    await registry.offer()

    await registry.count(("1.0.0", 16, 4), ("1.1.0", 16, 4))
    grown = registry.last(AgentConfiguration).experiment
    await registry.count(("1.0.0", 16, 4), ("1.1.0", 16, 4))

    assert registry.last(ExperimentAdvanced).treatment_proportion == 0.5
    assert grown.treatment_share == 0.5
    assert registry.last(ExperimentConcluded).outcome == "promoted"
    assert registry.deployed == "1.1.0"


async def test_answers_of_other_weights_count_nowhere(registry: RolloutHarness) -> None:
    await registry.prepare(policy(RolloutMode.AB_TEST))
    await registry.offer()

    await registry.count(("1.0.0", 5, 5), ("1.1.0", 8, 2), times=20, digest="f" * 64)
    await registry.count(("9.9.9", 8, 2), times=2)

    assert registry.experiments.counts == {}
    assert registry.states(ExperimentKind.AB_TEST) == [ExperimentState.RUNNING]


async def test_a_person_deploys_the_candidate_of_a_test(registry: RolloutHarness) -> None:
    await registry.prepare(policy(RolloutMode.AB_TEST))
    command = await registry.offer()

    await registry.service.deploy_model(TX, message_of(deploy("1.1.0")))

    assert registry.last(ExperimentConcluded).outcome == "promoted"
    assert registry.last(ModelDeployed).job_id == command.job_id
    assert registry.last(AgentConfiguration).experiment is None


async def test_a_person_ends_a_test_by_deploying_what_is_deployed(
    registry: RolloutHarness,
) -> None:
    await registry.prepare(policy(RolloutMode.SHADOW))
    await registry.offer()

    await registry.service.deploy_model(TX, message_of(deploy("1.0.0")))

    assert registry.last(ExperimentConcluded).outcome == "kept"
    assert registry.last(AgentConfiguration).experiment is None
    assert registry.deployed == "1.0.0"


async def test_another_version_that_is_deployed_meanwhile_cancels_a_test(
    registry: RolloutHarness,
) -> None:
    await registry.prepare(policy(RolloutMode.AB_TEST))
    await registry.offer()
    await registry.service.register_model(TX, message_of(register()))

    await registry.service.deploy_model(TX, message_of(deploy("1.2.0")))

    concluded = registry.last(ExperimentConcluded)
    assert (concluded.outcome, concluded.winner) == ("cancelled", "1.2.0")
    assert registry.deployed == "1.2.0"


async def test_an_experiment_whose_time_is_over_ends(registry: RolloutHarness) -> None:
    await registry.prepare(policy(RolloutMode.CANARY, maximum_seconds=60))
    await registry.offer()
    registry.clock.move(61)

    assert await registry.experiments.find_due_agent(TX, registry.clock.now()) is not None
    await registry.rollouts.expire(TX, "default", AGENT)

    assert "too few answers were scored" in registry.last(ExperimentConcluded).reason
    assert await registry.experiments.find_due_agent(TX, registry.clock.now()) is None


async def test_a_policy_that_changes_leaves_what_runs_as_it_began(
    registry: RolloutHarness,
) -> None:
    await registry.prepare(policy(RolloutMode.AB_TEST, treatment_share=0.2))
    await registry.offer()

    changed = policy(RolloutMode.AB_TEST, treatment_share=0.7)
    await registry.rollouts.record_policy(TX, message_of(configured(changed)))
    await registry.count(("1.0.0", 8, 2), ("1.1.0", 8, 2))

    (experiment,) = registry.experiments.experiments.values()
    assert (experiment.share, experiment.policy.treatment_share) == (0.2, 0.2)
