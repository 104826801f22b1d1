"""What the system causes itself never becomes feedback and never makes a window."""

from collections import Counter
from uuid import UUID

import pytest

from archon_contracts.base import Contract
from archon_contracts.commands import CancelJob
from archon_contracts.event_ids import event_id_of
from archon_contracts.events import (
    AnnotationSubmitted,
    EvaluationCompleted,
    FeedbackRetracted,
    InteractionLogged,
    ModelRolledBack,
    RetrainTriggered,
    TrainingFailed,
)
from archon_contracts.topics import dead_letters
from archon_contracts.traffic_classes import TrafficClass, internal_interaction_id
from archon_contracts.values import LearningPolicy
from services.coordinator.sweeper import RetentionJob
from shared.messaging.outbox import decode_headers
from tests.support.coordinator.coordinator import (
    AGENT,
    JobReplies,
    World,
    configure,
    feedback,
    record_of,
    requested,
    run_to_the_end,
)

WINDOWS = "SELECT count(*) FROM windows"
STATISTICS = """
SELECT unused, rated, rating_sum, oldest_unused_at, windows, last_window_at, open_job_id,
       interactions FROM feedback_stats
"""
NOTED = (
    "SELECT kind, traffic_class, signal FROM internal_traffic ORDER BY kind, traffic_class, signal"
)
LABEL = AnnotationSubmitted(
    agent_id=AGENT, item_id="item-1", annotator_id="ann", input="what?", label="tool"
)
ANSWER = InteractionLogged(agent_id=AGENT, interaction_id="i-log", input="what?")
WITHDRAWAL = FeedbackRetracted(agent_id=AGENT, interaction_id="i-log")
SENT_BY_SYSTEM = [
    traffic_class for traffic_class in TrafficClass if traffic_class is not TrafficClass.PRODUCTION
]


async def stats(world: World) -> tuple[object, ...]:
    """The agent's counters."""
    (row,) = await world.fetch(STATISTICS)
    return tuple(row)


@pytest.mark.parametrize("traffic_class", SENT_BY_SYSTEM)
async def test_no_kind_of_event_for_a_purpose_of_the_system_changes_a_counter(
    world: World, traffic_class: TrafficClass
) -> None:
    await world.deliver(configure(trigger_minimum_feedback=1))
    before = await stats(world)
    bodies: list[Contract] = [feedback("i1", rating=1), LABEL, ANSWER, WITHDRAWAL]

    await world.consume(
        record_of(b.model_copy(update={"traffic_class": traffic_class})) for b in bodies
    )

    assert await stats(world) == before
    assert await world.value(WINDOWS) == 0
    noted = await world.fetch(NOTED)
    assert {row["kind"] for row in noted} == {type(body).__name__ for body in bodies}
    assert {(row["traffic_class"], row["signal"]) for row in noted} == {
        (traffic_class.value, "body")
    }


async def test_each_sign_alone_is_enough(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=1))
    reserved = internal_interaction_id(TrafficClass.EVALUATION, "suite", 7)
    records = [
        record_of(feedback("i1", traffic_class=TrafficClass.TEST)),
        record_of(feedback("i2"), ce_trafficclass=b"benchmark"),
        record_of(feedback("i3"), ce_source=b"archon/synthetic_generator"),
        record_of(feedback("i4"), ce_source=b"archon/gateway", ce_causationid=b"job"),
        record_of(feedback(reserved)),
    ]

    await world.consume(records)

    signals = Counter(row["signal"] for row in await world.fetch(NOTED))
    assert signals == Counter(body=1, header=1, source=2, interaction=1)
    assert await world.value(WINDOWS) == 0


async def test_baggage_that_an_agents_caller_wrote_keeps_no_record_from_counting(
    world: World,
) -> None:
    """An instrumented producer copies it from the request that the agent answers."""
    await world.deliver(configure(trigger_minimum_feedback=100))
    baggage = b"userId=alice,archon.traffic_class=test"
    bodies: list[Contract] = [feedback("i1", rating=1), LABEL, ANSWER]

    await world.consume(record_of(body, baggage=baggage) for body in bodies)

    assert await world.fetch(NOTED) == []
    assert await world.value("SELECT count(*) FROM feedback") > 0


async def test_internal_traffic_is_recorded_once_however_often_it_comes(world: World) -> None:
    await world.deliver(configure())
    records = [
        record_of(feedback(f"i{n}", traffic_class=TrafficClass.BENCHMARK)) for n in range(50)
    ]

    await world.consume(records)
    await world.consume([*reversed(records), *records])

    assert await world.value("SELECT count(*) FROM internal_traffic") == 50


async def test_beside_it_feedback_of_production_counts(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=3))
    mixed = [
        record_of(feedback(f"i{n}", traffic_class=TrafficClass.SHADOW if n % 2 else None))
        for n in range(6)
    ]

    await world.consume(mixed)

    (triggered,) = await world.published(RetrainTriggered)
    assert triggered.feedback_count == 3
    rows = await world.fetch("SELECT interaction_id FROM feedback WHERE window_id IS NOT NULL")
    assert {row[0] for row in rows} == {"i0", "i2", "i4"}


async def test_a_user_may_rate_an_interaction_that_an_evaluation_rated_before(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=100))
    real = feedback("i1")
    event_id = str(event_id_of(real)).encode()
    tested = real.model_copy(update={"traffic_class": TrafficClass.EVALUATION})

    await world.consume([record_of(tested, ce_id=event_id)])
    await world.consume([record_of(real, ce_id=event_id)])

    assert (await stats(world))[0] == 1


async def test_a_retraction_by_a_shadow_erases_no_real_feedback(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=100))
    await world.consume([record_of(feedback("i1"))])

    withdrawn = FeedbackRetracted(
        agent_id=AGENT, interaction_id="i1", traffic_class=TrafficClass.SHADOW
    )
    await world.consume([record_of(withdrawn)])

    assert (await stats(world))[0] == 1


async def test_traffic_of_an_agent_that_nobody_configured_waits_for_nobody(world: World) -> None:
    records = [
        record_of(feedback(f"i{n}", "shadow-2", traffic_class=TrafficClass.SHADOW))
        for n in range(9)
    ]

    await world.consume(records)

    assert await world.value("SELECT count(*) FROM internal_traffic") == 9
    assert await world.value("SELECT count(*) FROM outbox") == 0


async def test_a_purpose_that_is_none_is_a_dead_letter_and_no_guess(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=1))

    await world.consume([record_of(feedback("i1"), ce_trafficclass=b"prod")])

    query = "SELECT headers FROM outbox WHERE topic = $1"
    (row,) = await world.fetch(query, dead_letters("coordinator").name)
    reason = dict(decode_headers(row["headers"]))["dlq_reason"] or b""
    assert b"ce_trafficclass is none of production, evaluation" in reason
    assert await world.value(WINDOWS) == 0


async def test_records_of_internal_traffic_are_deleted_after_their_days(world: World) -> None:
    await world.consume([record_of(feedback("i1", traffic_class=TrafficClass.TEST))])
    world.clock.move(8 * 86_400)

    pruner: RetentionJob = world.components.pruner
    await pruner.prune()

    assert await world.value("SELECT count(*) FROM internal_traffic") == 0


async def test_the_end_of_a_job_its_deployment_and_a_rollback_begin_nothing(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=3))
    await world.consume(record_of(feedback(f"i{n}")) for n in range(3))
    job_id: UUID = await world.value("SELECT job_id FROM jobs")

    await run_to_the_end(world, job_id)
    deployed = JobReplies(job_id).deployed().model_copy(update={"job_id": None})
    back = ModelRolledBack(
        revision=1,
        actor="somebody",
        agent_id=AGENT,
        model=deployed.model,
        from_version="1.0.0",
        reason="worse",
        rolled_back_at=deployed.deployed_at,
    )
    await world.deliver(deployed, back)
    await world.components.sweeper.sweep()

    assert await world.value(WINDOWS) == 1


@pytest.mark.parametrize("end", ["cancelled", "failed", "rejected"])
async def test_jobs_that_end_without_a_model_are_followed_by_a_bounded_number(
    world: World, end: str
) -> None:
    await world.deliver(
        configure(trigger_minimum_feedback=3, learning=LearningPolicy(maximum_returns=2))
    )
    await world.consume(record_of(feedback(f"i{n}")) for n in range(3))

    for _ in range(5):
        job_id: UUID = await world.value("SELECT job_id FROM jobs ORDER BY created_at DESC LIMIT 1")
        answers = JobReplies(job_id)
        await world.deliver(answers.plan(), answers.dataset())
        if end == "rejected":
            await world.deliver(answers.trained(), answers.evaluated(passed=False))
        elif end == "failed":
            await world.deliver(_failed(job_id))
        else:
            await world.deliver(CancelJob(job_id=job_id, reason="not now"))
        world.clock.move(86_400)
        await world.components.sweeper.sweep()

    assert [row["state"] for row in await world.fetch("SELECT state FROM jobs")] == [end] * 3
    assert await world.value(WINDOWS) == 3


async def test_a_new_profile_begins_nothing_without_feedback(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=1))

    for minimum in (2, 1, 1):
        await world.deliver(configure(trigger_minimum_feedback=minimum))
    await world.components.sweeper.sweep()

    assert await world.value(WINDOWS) == 0


async def test_a_replayed_dead_letter_counts_once_and_only_if_it_is_new(world: World) -> None:
    letter = record_of(feedback("late"))
    await world.consume([letter])
    await world.deliver(configure(trigger_minimum_feedback=2))

    for _ in range(3):
        await world.consume([letter])

    assert (await stats(world))[0] == 1
    assert await world.value(WINDOWS) == 0


async def test_a_replay_of_what_a_window_took_makes_no_second_window(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=3))
    records = [record_of(feedback(f"i{n}")) for n in range(3)]
    await world.consume(records)
    await run_to_the_end(world, await world.value("SELECT job_id FROM jobs"))

    await world.consume(records)
    await world.consume(reversed(records))

    assert await world.value(WINDOWS) == 1


async def test_a_request_for_a_training_with_nothing_new_makes_no_window(world: World) -> None:
    await world.deliver(configure())
    await world.consume([record_of(feedback("i1", traffic_class=TrafficClass.BENCHMARK))])

    await world.deliver(requested())

    assert await world.value(WINDOWS) == 0
    assert await world.value("SELECT state FROM jobs") == "failed"


async def test_an_evaluation_of_a_deployed_agent_changes_no_counter(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=1))
    before = await stats(world)

    decision: EvaluationCompleted = JobReplies(UUID(int=7)).evaluated()
    await world.deliver(decision.model_copy(update={"job_id": None}))

    assert await stats(world) == before


def _failed(job_id: UUID) -> TrainingFailed:
    return TrainingFailed(
        agent_id=AGENT,
        job_id=job_id,
        attempt=1,
        error_type="X",
        reason="it broke",
        retryable=False,
    )


async def test_withdrawals_make_no_window_even_where_they_lower_the_mean(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=60, trigger_rating_drop=1.0))
    await world.consume(record_of(feedback(f"a{n}", rating=5)) for n in range(60))
    await run_to_the_end(world, await world.value("SELECT job_id FROM jobs"))
    await world.consume(record_of(feedback(f"b{n}", rating=5)) for n in range(20))
    await world.consume(record_of(feedback(f"c{n}", rating=3.5)) for n in range(31))

    await world.consume(
        record_of(FeedbackRetracted(agent_id=AGENT, interaction_id=f"b{n}")) for n in range(20)
    )
    withdrawn = await world.value(WINDOWS)
    await world.consume([record_of(feedback("d1", rating=3.5))])

    assert (withdrawn, await world.value(WINDOWS)) == (1, 2)
