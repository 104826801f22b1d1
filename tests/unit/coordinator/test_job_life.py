"""Jobs under any sequence of answers, late ones and restarts: none is stuck or illegal."""

from collections import Counter
from datetime import timedelta
from itertools import chain
from uuid import UUID

from hypothesis import settings
from hypothesis.stateful import invariant

from archon_contracts.commands import ReturnFeedback, TrainModel
from archon_contracts.events import (
    FeedbackReturned,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobRejected,
    JobState,
    RetrainTriggered,
    TriggerReason,
)
from archon_contracts.values import AgentKind, LearningPolicy
from services.coordinator.domain import AgentKey, WindowOutcome
from services.coordinator.jobs.escalation import LADDERS
from services.coordinator.jobs.state_machine import ACTIVE_STATES, JobEvent, next_state
from services.coordinator.retraining.triggers import backoff_seconds
from tests.support.coordinator.job_answers import AGENTS, FAST
from tests.support.coordinator.job_events import JobEvents

MOST_TRANSITIONS = 60
"""Three attempts of each of four strategies, six evaluations and what lies before, between and
after."""
ENDS = {JobCompleted, JobRejected, JobFailed, JobCancelled}


class JobLife(JobEvents):
    """Whatever happens, this holds after every step."""

    @invariant()
    def an_agent_has_at_most_one_active_job_and_records_it(self) -> None:
        for name in AGENTS:
            key = AgentKey("default", name)
            jobs = [job for job in self.world.store.jobs.values() if job.key == key]
            active_jobs = [job.job_id for job in jobs if job.state in ACTIVE_STATES]
            open_job = self.world.feedback.open_jobs.get(key)
            assert active_jobs == ([open_job] if open_job else [])

    @invariant()
    def every_step_is_in_the_table(self) -> None:
        for _, before, event, after in self.world.store.events:
            if before is not None:
                assert event is not None
                assert next_state(before, event) is after

    @invariant()
    def an_ended_job_published_its_end_once(self) -> None:
        published = [e.job_id for e in self.world.outbox.events.values() if type(e) in ENDS]  # type: ignore[attr-defined]  # all of them have one
        ended = {job.job_id for job in self.world.store.jobs.values() if job.state.is_final}
        assert len(published) == len(set(published))
        assert set(published) == ended

    @invariant()
    def attempts_only_grow_and_stay_within_their_limit(self) -> None:
        commands = self.world.outbox.of(TrainModel)
        for job_id in {command.job_id for command in commands}:
            own = [command for command in commands if command.job_id == job_id]
            assert [command.attempt for command in own] == list(range(1, len(own) + 1))
            # Each strategy has all its tries, and only stronger ones follow.
            tries = Counter(command.retention for command in own)
            assert max(tries.values()) <= 3
            ladder = LADDERS[AgentKind.SELECTOR]
            places = [ladder.index(command.retention) for command in own]
            assert places == sorted(places)

    @invariant()
    def an_escalation_is_bounded_and_said_with_its_reason(self) -> None:
        for job in self.world.store.jobs.values():
            steps = job.facts.escalations
            assert len(steps) <= LearningPolicy().maximum_escalations
            assert all(step.reason for step in steps)
        made = Counter(
            job_id for job_id, _, event, _ in self.world.store.events if event is JobEvent.ESCALATED
        )
        assert made == {
            job.job_id: len(job.facts.escalations)
            for job in self.world.store.jobs.values()
            if job.facts.escalations
        }

    @invariant()
    def a_closed_form_takes_a_place_once_for_each_strategy(self) -> None:
        for job in self.world.store.jobs.values():
            assert len(job.facts.replaced) <= len(job.facts.escalations) + 1
            assert all(each.reason for each in job.facts.replaced)

    @invariant()
    def a_job_makes_a_bounded_number_of_transitions(self) -> None:
        assert all(len(steps) <= MOST_TRANSITIONS for steps in self.world.store.history.values())

    @invariant()
    def no_retrain_is_triggered_during_its_agents_backoff(self) -> None:
        for window, before, claimed_at in self.world.feedback.windows:
            policy = self.world.store.agents[window.key].profile.trigger
            if window.reason is TriggerReason.MANUAL:
                continue
            rest = backoff_seconds(before.unsuccessful_runs, policy)
            for since, seconds in (
                (before.last_window_at, policy.cooldown_seconds),
                (before.last_unsuccessful_at, rest),
            ):
                assert since is None or claimed_at >= since + timedelta(seconds=seconds)

    @invariant()
    def unsuccessful_runs_are_counted_since_the_last_deployment(self) -> None:
        for stats in self.world.store.stats.values():
            assert (stats.unsuccessful_runs == 0) == (stats.last_unsuccessful_at is None)

    @invariant()
    def windows_publish_as_many_events_as_they_hold(self) -> None:
        triggered = self.world.outbox.of(RetrainTriggered)
        claimed = [each.feedback_count for each in triggered if not each.fast_path]
        borrowed = [each.feedback_count for each in triggered if each.fast_path]
        rows = self.world.feedback.rows.values()
        held = [len(ids) for ids in self.world.feedback.claims.values()]
        assert sum(claimed) == sum(held)
        assert sum(borrowed) == sum(each.update_id is not None for each in rows)

    @invariant()
    def only_an_agent_with_a_fast_path_and_a_version_has_updates(self) -> None:
        for job in self.world.store.jobs.values():
            if job.is_update:
                assert (job.key.agent_id, job.facts.warm_start is None) == (FAST, False)
                states = [step.to_state for step in self.world.store.history[job.job_id]]
                assert JobState.PLANNING not in states

    @invariant()
    def feedback_is_new_data_of_at_most_one_deployed_version(self) -> None:
        outcomes, claims = self.world.feedback.outcomes, self.world.feedback.claims
        learnt = [
            event_id
            for window_id, (outcome, _) in outcomes.items()
            if outcome is WindowOutcome.LEARNT
            for event_id in claims[window_id]
        ]
        assert len(learnt) == len(set(learnt))

    @invariant()
    def no_feedback_is_lost_when_a_job_is_over(self) -> None:
        """What no open job and no version has is unused again, or listed with a reason."""
        is_over = {
            job.facts.window.window_id: job.state.is_final
            for job in self.world.store.jobs.values()
            if job.facts.window
        }
        for window_id in {stored.window_id for stored in self.world.feedback.claimed}:
            assert window_id is not None
            outcome, reason = self.world.feedback.outcomes.get(window_id, (None, ""))
            # A version may be deployed while its job is evaluated again: the registry refused it
            # for the job, and a person deploys it.
            deployed_early = outcome is WindowOutcome.LEARNT and not is_over[window_id]
            assert (outcome is not None and bool(reason)) == is_over[window_id] or deployed_early

    @invariant()
    def a_window_that_updates_learnt_has_all_its_feedback_from_them(self) -> None:
        learnt = [
            window_id
            for window_id, (outcome, reason) in self.world.feedback.outcomes.items()
            if outcome is WindowOutcome.LEARNT and "updates of the fast path" in reason
        ]
        versions = {
            job.facts.window.window_id: job.facts.model
            for job in self.world.store.jobs.values()
            if job.is_update and job.facts.window
        }
        for each in self.world.feedback.rows.values():
            if each.window_id in learnt and not each.retracted:
                assert each.update_id is not None
                assert versions[each.update_id] is not None
            assert each.left.isdisjoint(learnt) or each.waiting_for is not None

    @invariant()
    def feedback_comes_back_a_bounded_number_of_times(self) -> None:
        limit = LearningPolicy().maximum_returns
        assert all(each.returns <= limit for each in self.world.feedback.rows.values())
        tries = Counter(chain.from_iterable(self.world.feedback.claims.values()))
        assert all(count <= limit + 1 for count in tries.values())

    @invariant()
    def whatever_is_not_over_has_a_deadline(self) -> None:
        for job in self.world.store.jobs.values():
            assert (job.deadline_at is None) == (job.state.is_final)


# A fifth more than the profile's: 60 in `make test`, 12 in the inner loop.
JobLife.TestCase.settings = settings(
    max_examples=settings().max_examples * 6 // 5, stateful_step_count=40, deadline=None
)
TestJobLife = JobLife.TestCase


def test_a_job_ends_after_too_many_reevaluations() -> None:
    life = JobLife()
    life.configure()
    life.send_feedback("a", 4)
    life.plan("a")
    life.do_work()
    life.prepare("a", 3)
    life.train("a", 1)

    for _ in range(20):
        life.evaluate("a", passed=True)
        life.register("a")
        life.refuse_deployment("a")

    (job,) = life.world.store.jobs.values()
    (failed,) = life.world.outbox.of(JobFailed)
    assert job.state is JobState.FAILED
    assert "the deployed version changed 6 times" in failed.reason
    life.teardown()


def test_a_late_deployment_event_does_not_replace_a_newer_one() -> None:
    life = JobLife()
    life.configure()
    life.roll_back("a")

    life.deploy_by_hand("a", 1)
    late = life.world.store.agents[AgentKey("default", "a")].deployed
    life.deploy_by_hand("a", 0)

    newest = life.world.store.agents[AgentKey("default", "a")].deployed
    assert (late and late.version, newest and newest.version) == ("1.0.0", "8.0.0")
    life.teardown()


def end_of_first_job(life: JobLife, *, passed: bool) -> tuple[ReturnFeedback, UUID]:
    """Lead the first job of `b`, which backs off, to its end; the command to return its window."""
    life.configure()
    life.report(1)
    life.lead_on("b", 7, passed=passed)
    job = next(iter(life.world.store.jobs.values()))
    assert job.facts.window is not None
    return ReturnFeedback(job_id=job.job_id, reason="mended"), job.facts.window.window_id


def test_a_window_that_is_given_back_twice_stays_given_back() -> None:
    life = JobLife()
    command, window_id = end_of_first_job(life, passed=False)
    before = life.world.feedback.outcomes[window_id]

    life.deliver("return_feedback", command)

    assert before[0] is WindowOutcome.RETURNED
    assert life.world.feedback.outcomes[window_id] == before
    assert len(life.world.outbox.of(FeedbackReturned)) == 1
    life.teardown()


def test_a_version_of_before_outcomes_were_kept_has_learnt_its_window() -> None:
    life = JobLife()
    command, window_id = end_of_first_job(life, passed=True)
    del life.world.feedback.outcomes[window_id]

    life.deliver("return_feedback", command)

    assert {each.window_id for each in life.world.feedback.rows.values()} == {window_id}
    life.teardown()
