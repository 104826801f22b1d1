"""What is recorded of agents' policies and of what people ask."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.commands import CancelJob, DeployModel
from archon_contracts.events import AuditAction, AuditChange
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentProfile, GatePolicy
from services.coordinator.jobs.audit_entries import compare_profiles
from tests.support.coordinator.coordinator import JobReplies, configure, requested
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.messaging.messages import message_of

PROFILE = configure().profile
ANN = {"requested_by": "ann (key 2)"}
profiles = st.builds(
    lambda minimum, gain, labels, priority: (
        configure(
            trigger_minimum_feedback=minimum,
            gate=GatePolicy(minimum_gain=gain),
            labels=tuple(labels),
            priority=priority,
        ).profile
    ),
    st.integers(1, 5),
    st.floats(0, 0.5),
    st.lists(st.text(max_size=4), max_size=3),
    st.integers(-2, 2),
)


@pytest.fixture
def world() -> InMemoryCoordinator:
    return InMemoryCoordinator()


def test_a_changed_policy_is_recorded_field_by_field() -> None:
    after = configure(trigger_minimum_feedback=50, priority=7, labels=("a", "b")).profile

    assert compare_profiles(PROFILE, after) == (
        AuditChange(field="labels", before="[]", after='["a", "b"]'),
        AuditChange(field="priority", before="0", after="7"),
        AuditChange(field="trigger.minimum_feedback", before="3", after="50"),
    )


def test_a_field_that_had_no_value_is_recorded_as_empty() -> None:
    after = configure(trigger_rating_drop=0.5).profile

    (change,) = compare_profiles(PROFILE, after)

    assert change == AuditChange(field="trigger.rating_drop", before="", after="0.5")


@given(profiles, profiles)
def test_the_changes_lead_from_one_profile_to_the_other(
    before: AgentProfile, after: AgentProfile
) -> None:
    changes = compare_profiles(before, after)

    recorded = {change.field: json.loads(change.after) for change in changes if change.after}
    assert bool(changes) == (before != after)
    assert recorded.get("priority", before.priority) == after.priority
    assert recorded.get("labels", list(before.labels)) == list(after.labels)
    assert recorded.get("gate.minimum_gain", before.gate.minimum_gain) == after.gate.minimum_gain


async def test_who_changes_a_policy_is_recorded_with_the_reason(world: InMemoryCoordinator) -> None:
    changed = configure(trigger_minimum_feedback=9).model_copy(
        update=ANN | {"reason": "too many retrains"}
    )

    for command in (configure(), changed, changed):
        await world.agents.configure_agent(None, message_of(command))

    first, second = world.audit.entries
    assert first.action is AuditAction.AGENT_CONFIGURED
    assert second.action is AuditAction.POLICY_CHANGED
    assert (second.actor, second.reason) == ("ann (key 2)", "too many retrains")
    assert [change.field for change in second.changes] == ["trigger.minimum_feedback"]


async def test_who_requests_a_training_is_recorded_once(world: InMemoryCoordinator) -> None:
    await world.agents.configure_agent(None, message_of(configure()))
    request = requested(**ANN)

    for _ in range(2):
        await world.requests.request_training(None, message_of(request))

    (recorded,) = world.audit.entries[1:]
    assert recorded.action is AuditAction.TRAINING_REQUESTED
    assert (recorded.actor, recorded.subject) == ("ann (key 2)", str(request.job_id))


async def test_a_request_without_a_requester_is_recorded_with_its_source(
    world: InMemoryCoordinator,
) -> None:
    await world.requests.request_training(None, message_of(requested()))

    assert world.audit.entries[-1].actor == "unknown (source archon/test)"


async def test_who_cancels_a_job_is_recorded_and_only_once(world: InMemoryCoordinator) -> None:
    request = requested()
    await world.requests.request_training(None, message_of(request))
    command = CancelJob(job_id=request.job_id, reason="wrong data", **ANN)

    for cancel in (command, command, CancelJob(job_id=new_id(), **ANN)):
        await world.requests.cancel_job(None, message_of(cancel))

    (recorded,) = world.audit.entries[1:]
    assert recorded.action is AuditAction.JOB_CANCELLED
    assert (recorded.actor, recorded.reason) == ("ann (key 2)", "wrong data")
    assert recorded.details["state"] == "requested"


async def test_the_deployment_command_says_who_requested_the_job(
    world: InMemoryCoordinator,
) -> None:
    await world.agents.configure_agent(None, message_of(configure()))
    given = await world.artifacts.publish_files({"items.jsonl": b"{}\n"})
    request = requested(dataset=given, **ANN)
    await world.requests.request_training(None, message_of(request))
    await world.do_work()

    answers = JobReplies(request.job_id)
    for use_case, body in (
        (world.jobs.record_plan, answers.plan()),
        (world.jobs.record_dataset, answers.dataset()),
        (world.jobs.record_candidate, answers.trained()),
        (world.jobs.record_evaluation, answers.evaluated()),
        (world.jobs.record_registration, answers.registered()),
    ):
        await use_case(None, message_of(body))
        await world.do_work()

    (command,) = world.outbox.of(DeployModel)
    assert command.requested_by == f"system (job {request.job_id}, requested by ann (key 2))"
