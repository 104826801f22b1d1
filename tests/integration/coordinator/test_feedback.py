"""Batches of feedback on a real database: stored once, bad ones set aside, windows exact."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from archon_contracts.base import Contract
from archon_contracts.commands import PrepareDataset, SourceKind
from archon_contracts.events import (
    AnnotationSubmitted,
    InteractionLogged,
    RetrainTriggered,
    TrainingRequested,
    TriggerReason,
)
from archon_contracts.identifiers import feedback_event_id
from archon_contracts.topics import FEEDBACK, dead_letters
from archon_contracts.values import TrainingMethod
from shared.messaging.messages import RawRecord
from shared.messaging.outbox import decode_headers
from tests.support.coordinator.coordinator import (
    AGENT,
    JobReplies,
    World,
    configure,
    coordinator_world,
    feedback,
    items_in,
    record_of,
    requested,
    retracted,
    run_to_the_end,
)

UNUSED = "SELECT unused FROM feedback_stats"
STORED = "SELECT count(*) FROM feedback"
QUIET = {"trigger_minimum_feedback": 10_000}


async def reasons(world: World) -> dict[int, str]:
    """Why records were set aside, by their offset."""
    rows = await world.fetch(
        "SELECT headers FROM outbox WHERE topic = $1", dead_letters("coordinator").name
    )
    headers = [dict(decode_headers(row["headers"])) for row in rows]
    return {int(each["dlq_offset"] or 0): (each["dlq_reason"] or b"").decode() for each in headers}


async def test_feedback_is_stored_and_counted_with_its_ratings(world: World) -> None:
    await world.deliver(configure(**QUIET))

    await world.consume(record_of(feedback(f"i{n}", rating=n)) for n in (1, 2, 5))

    stats = (await world.fetch("SELECT * FROM feedback_stats"))[0]
    assert (stats["unused"], stats["rated"], stats["rating_sum"]) == (3, 3, 8)
    bodies = await world.fetch("SELECT body FROM feedback ORDER BY received_at")
    assert bodies[0]["body"] == feedback("i1", rating=1).to_bytes()


async def test_a_batch_that_comes_again_is_counted_once(world: World) -> None:
    await world.deliver(configure(**QUIET))
    records = [record_of(feedback(f"i{n}")) for n in range(5)]

    await world.consume(records)
    await world.consume([*records, record_of(feedback("new"))])

    assert (await world.value(STORED), await world.value(UNUSED)) == (6, 6)


async def test_the_same_event_twice_in_one_batch_is_counted_once(world: World) -> None:
    await world.deliver(configure(**QUIET))
    record = record_of(feedback("i1"))

    await world.consume([record, record])

    assert (await world.value(STORED), await world.value(UNUSED)) == (1, 1)


async def test_feedback_without_an_id_is_stored_once_per_interaction_and_source(
    world: World,
) -> None:
    await world.deliver(configure(**QUIET))
    plain = record_of(feedback("i1"), ce_id=b"")

    await world.consume([plain, plain])
    await world.consume([record_of(feedback("i1", source="expert"), ce_id=b"")])

    ids = {row["event_id"] for row in await world.fetch("SELECT event_id FROM feedback")}
    assert ids == {feedback_event_id("default", AGENT, "i1", s) for s in ("user", "expert")}


async def test_every_bad_record_is_set_aside_by_itself_with_its_reason(world: World) -> None:
    await world.deliver(configure(**QUIET))
    good = feedback("good")
    bad: list[tuple[Contract, dict[str, bytes | None], bytes | None, str]] = [
        (good, {"ce_type": b"archon.Nonsense.v1"}, good.to_bytes(), "archon.Nonsense.v1"),
        (good, {"ce_type": None}, good.to_bytes(), "gives no type"),
        (good, {"ce_type": b"\xff\xfe"}, good.to_bytes(), "gives no type"),
        (good, {"ce_id": b"\xff"}, good.to_bytes(), "ce_id is null or not UTF-8"),
        (good, {"ce_id": None}, good.to_bytes(), "ce_id is null or not UTF-8"),
        (good, {}, b"{not json", "Invalid JSON"),
        (good, {}, b'{"agent_id": "picker"}', "interaction_id: Field required"),
        (good, {}, b'"\xff"', "FeedbackReceived"),
        (good, {}, None, "tombstone"),
        (good, {}, b" " * 1_000_001, "1000001 bytes"),
        (feedback("lost", agent_id="nobody"), {}, None, "agent nobody is not configured"),
    ]
    records = []
    for offset, (body, headers, value, _) in enumerate(bad):
        record = record_of(body, offset=offset, **headers)
        given = body.to_bytes() if body is not good else value
        records.append(RawRecord(record.topic, 0, offset, record.key, given, record.headers))

    await world.consume([record_of(feedback("before")), *records, record_of(feedback("after"))])

    assert await world.value(STORED) == 2
    found = await reasons(world)
    for offset, (_, _, _, reason) in enumerate(bad):
        assert reason in found[offset]


async def test_a_null_character_in_a_withdrawal_is_set_aside_and_the_rest_is_stored(
    world: World,
) -> None:
    await world.deliver(configure(**QUIET))
    nul = record_of(retracted("i1", reason="secret a\x00b"), offset=7, **{"od\x00d": b"v"})
    traffic = record_of(feedback("shadow"), ce_trafficclass=b"shadow")

    await world.consume([record_of(feedback("before")), nul, traffic, record_of(feedback("after"))])

    assert await world.value(STORED) == 2
    assert await world.value("SELECT count(*) FROM internal_traffic") == 1
    found = await reasons(world)
    assert list(found) == [7]
    assert "NUL" in found[7]
    assert "secret" not in found[7]


async def test_a_dead_letter_keeps_the_original_bytes_and_headers(world: World) -> None:
    await world.deliver(configure(**QUIET))
    record = RawRecord(
        FEEDBACK.name, 3, 7, b"\x00key", b"\x80\x00raw", (("ce_type", b"x"), ("odd", b"\xff"))
    )

    await world.consume([record])

    row = (
        await world.fetch("SELECT payload, headers FROM outbox WHERE payload = $1", record.value)
    )[0]
    headers = dict(decode_headers(row["headers"]))
    assert (headers["odd"], headers["dlq_partition"], headers["dlq_offset"]) == (
        b"\xff",
        b"3",
        b"7",
    )


async def test_headers_of_other_systems_do_not_matter(world: World) -> None:
    await world.deliver(configure(**QUIET))

    await world.consume([record_of(feedback("i1"), vendor=b"\xff\x00", empty=None)])

    assert await world.value(STORED) == 1


async def test_feedback_waits_for_an_agent_whose_configuration_is_on_its_way(
    world: World,
) -> None:
    taking = asyncio.create_task(world.consume([record_of(feedback("early"))]))
    await asyncio.sleep(0)

    await world.deliver(configure(**QUIET))
    await taking

    assert await world.value(STORED) == 1
    assert await reasons(world) == {}


async def test_the_count_fires_once_and_the_window_is_the_exact_set(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=4))
    records = [record_of(feedback(f"i{n}")) for n in range(4)]

    for record in records:
        await world.consume([record])
    await world.consume(records)

    (triggered,) = await world.published(RetrainTriggered)
    assert (triggered.reason, triggered.feedback_count) == (TriggerReason.COUNT, 4)
    rows = await world.fetch("SELECT event_id FROM feedback WHERE window_id IS NOT NULL")
    ids = "\n".join(sorted(str(row["event_id"]) for row in rows))
    assert triggered.feedback_digest == hashlib.sha256(ids.encode()).hexdigest()
    assert await world.value(UNUSED) == 0


async def test_a_window_takes_the_oldest_up_to_the_maximum(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=3, trigger_maximum_feedback=3))

    await world.consume(record_of(feedback(f"i{n}")) for n in range(5))

    query = "SELECT interaction_id FROM feedback WHERE window_id IS {} NULL ORDER BY received_at"
    taken = [row[0] for row in await world.fetch(query.format("NOT"))]
    left = [row[0] for row in await world.fetch(query.format(""))]
    assert (taken, left) == (["i0", "i1", "i2"], ["i3", "i4"])
    assert await world.value(UNUSED) == 2


async def test_the_next_window_waits_for_the_end_of_the_cooldown(world: World) -> None:
    await world.deliver(configure(trigger_cooldown_seconds=60))
    await world.consume(record_of(feedback(f"a{n}")) for n in range(3))
    await run_to_the_end(world, await world.value("SELECT job_id FROM jobs"))

    await world.consume(record_of(feedback(f"b{n}")) for n in range(3))
    early = await world.value("SELECT count(*) FROM windows")
    world.clock.move(61)
    await world.components.sweeper.sweep()

    assert (early, await world.value("SELECT count(*) FROM windows")) == (1, 2)


async def test_old_feedback_fires_by_age_though_none_comes(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=100, trigger_maximum_age_seconds=30))
    await world.consume([record_of(feedback("lonely"))])

    await world.components.sweeper.sweep()
    early = await world.published(RetrainTriggered)
    world.clock.move(31)
    await world.components.sweeper.sweep()

    assert early == []
    assert (await world.last(RetrainTriggered)).reason == TriggerReason.AGE


async def test_a_fall_of_the_ratings_fires_before_the_count(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=40, trigger_rating_drop=1.0))
    await world.consume(record_of(feedback(f"good{n}", rating=5)) for n in range(40))
    await run_to_the_end(world, await world.value("SELECT job_id FROM jobs"))

    await world.consume(record_of(feedback(f"bad{n}", rating=2)) for n in range(30))

    assert (await world.last(RetrainTriggered)).reason == TriggerReason.RATING_DROP


async def test_late_ratings_of_the_version_before_are_no_fall(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=40, trigger_rating_drop=1.0))
    await world.consume(record_of(feedback(f"good{n}", rating=5)) for n in range(40))
    await run_to_the_end(world, await world.value("SELECT job_id FROM jobs"))

    late = [feedback(f"late{n}", rating=2, model_version="0.9.0") for n in range(32)]
    await world.consume(record_of(each) for each in late)
    before = len(await world.published(RetrainTriggered))
    await world.consume(
        record_of(feedback(f"l{n}", rating=2, model_version="1.0.0")) for n in range(7)
    )

    # 32 late ones and 7 others are 39: the count has not fired, and of the 7 nobody can be sure.
    assert (before, len(await world.published(RetrainTriggered))) == (1, 1)


async def test_risen_errors_of_the_deployed_version_fire_after_a_restart_too(world: World) -> None:
    def rated(name: str, count: int, rating: float) -> list[RawRecord]:
        return [
            record_of(feedback(f"{name}{n}", expected=None, rating=rating)) for n in range(count)
        ]

    await world.deliver(configure(**QUIET, trigger_error_rise=0.1))
    await world.consume(rated("good", 220, 5))
    bad = rated("bad", 3, 1)
    await world.consume(bad)
    early = await world.published(RetrainTriggered)

    # What was gathered is in the database: a batch that comes again adds nothing to it.
    await world.consume(bad)
    evidence = await world.value("SELECT (stream ->> 'evidence')::float8 FROM feedback_stats")
    await world.consume(rated("worse", 8, 1))

    assert early == []
    assert 0 < evidence < 12
    assert (await world.last(RetrainTriggered)).reason == TriggerReason.DRIFT


async def test_a_request_without_dataset_takes_all_unused_feedback(world: World) -> None:
    await world.deliver(configure(**QUIET))
    await world.consume(record_of(feedback(f"i{n}")) for n in range(2))

    await world.deliver(requested())

    triggered = await world.last(RetrainTriggered)
    assert (triggered.reason, triggered.feedback_count) == (TriggerReason.MANUAL, 2)
    assert await world.value(UNUSED) == 0


async def test_a_changed_policy_is_evaluated_at_once(world: World) -> None:
    await world.deliver(configure(**QUIET))
    await world.consume(record_of(feedback(f"i{n}")) for n in range(2))

    await world.deliver(configure(trigger_minimum_feedback=2))

    assert len(await world.published(RetrainTriggered)) == 1


async def test_the_windows_content_goes_to_data_preparation(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=2))
    rated = feedback("i1", rating=2, reward=-0.5, model_version="1.0.0", unit_id="user-1")
    label = AnnotationSubmitted(
        agent_id=AGENT, item_id="item-1", annotator_id="ann", input="what?", label="tool"
    )
    await world.consume([record_of(rated), record_of(label)])

    await world.deliver(JobReplies(await world.value("SELECT job_id FROM jobs")).plan())

    received, human = (await world.last(PrepareDataset)).sources
    assert (received.kind, human.kind) == (SourceKind.FEEDBACK, SourceKind.HUMAN)
    (item,) = items_in(await world.shared.artifacts.read(received.artifact, "items.jsonl"))
    assert (item["target"], item["actual"], item["rating"]) == ("right", "wrong", 2)
    assert (item["reward"], item["source"], item["unit"]) == (-0.5, "feedback", "user-1")
    (labelled,) = items_in(await world.shared.artifacts.read(human.artifact, "items.jsonl"))
    assert labelled["annotations"][0]["label"] == "tool"


async def test_the_plan_command_has_the_proportion_of_right_answers(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=4))
    await world.consume(
        record_of(body)
        for body in (
            feedback("i1", actual="right"),
            feedback("i2", actual="wrong"),
            feedback("i3", expected=None, rating=5),
            feedback("i4", expected=None, reward=-1),
        )
    )

    facts = await world.value("SELECT facts FROM jobs")

    assert (facts["success_rate"], facts["rated_items"], facts["new_items"]) == (0.5, 4, 4)


async def test_interactions_are_counted_once_and_deleted_after_their_days(
    world: World,
) -> None:
    await world.deliver(configure(**QUIET))
    record = record_of(InteractionLogged(agent_id=AGENT, interaction_id="i1", input="what?"))

    await world.consume([record])
    await world.consume([record])

    assert await world.value("SELECT interactions FROM feedback_stats") == 1
    assert await world.value(UNUSED) == 0


async def test_two_coordinators_store_shared_batches_once_and_fire_once(
    world: World, database_url: str, tmp_path: Path
) -> None:
    names = [f"agent-{n}" for n in range(8)]
    for name in names:
        await world.deliver(configure(name, trigger_minimum_feedback=20))
    records = [record_of(feedback(f"i{n}", names[n % 8])) for n in range(160)]
    async with coordinator_world(database_url, tmp_path, clock=world.clock) as other:
        await asyncio.gather(
            *(world.consume(records[start : start + 40]) for start in range(0, 160, 40)),
            *(other.consume(records[start : start + 40]) for start in (120, 80, 40, 0)),
        )

    assert await world.value(STORED) == 160
    triggered = await world.published(RetrainTriggered)
    assert sorted(each.agent_id for each in triggered) == names
    assert {each.feedback_count for each in triggered} == {20}


async def test_a_requested_method_is_kept_and_a_trigger_continues(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=1))
    await world.consume([record_of(feedback("i1"))])
    first = await world.value("SELECT method FROM jobs")
    await run_to_the_end(world, await world.value("SELECT job_id FROM jobs"))

    await world.consume([record_of(feedback("i2"))])

    methods = [
        row["method"]
        for row in await world.fetch("SELECT method FROM jobs ORDER BY created_at, method DESC")
    ]
    assert first == TrainingMethod.SUPERVISED
    assert sorted(methods) == ["continual", "supervised"]
    assert await world.published(TrainingRequested) == []


async def test_a_window_is_bounded_by_bytes_and_takes_one_event_at_least(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.coordinator.feedback.store.MAX_WINDOW_BYTES", 1_500)
    await world.deliver(configure(trigger_minimum_feedback=4))

    await world.consume([record_of(feedback(f"i{n}", input="q" * 1_000)) for n in range(4)])

    assert await world.value("SELECT feedback_count FROM windows") == 2
    assert await world.value("SELECT unused FROM feedback_stats") == 2
