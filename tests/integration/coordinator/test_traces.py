"""The trace of a job, as it is in the database at its end."""

from typing import Any

import orjson

from archon_contracts.commands import TrainModel
from archon_contracts.events import JobStateChanged
from shared.messaging.outbox import decode_headers
from shared.telemetry.spans import parse_traceparent
from tests.support.coordinator.coordinator import (
    World,
    configure,
    feedback,
    record_of,
    requested,
    run_to_the_end,
)

SENDER = "00-{trace}-{span}-01"
TRACE = "a" * 32


def traced(interaction_id: str, trace: str, span: str) -> Any:
    """Feedback whose sender traced it."""
    header = SENDER.format(trace=trace, span=span).encode()
    return record_of(feedback(interaction_id), traceparent=header)


async def spans_of(world: World) -> dict[str, Any]:
    """All spans by name."""
    rows = await world.fetch("SELECT * FROM telemetry.spans ORDER BY started_at, name")
    return {row["name"]: row for row in rows}


async def finished_retrain(world: World) -> None:
    """A retrain from three traced feedback to the deployed version."""
    await world.deliver(configure(trigger_minimum_feedback=3))
    await world.consume(
        [
            traced("i1", "c" * 32, "1" * 16),
            traced("i2", "b" * 32, "2" * 16),
            traced("i3", TRACE, "3" * 16),
        ]
    )
    await run_to_the_end(world, await world.value("SELECT job_id FROM jobs"))


async def test_a_retrain_belongs_to_the_trace_of_the_feedback_that_completed_it(
    world: World,
) -> None:
    await finished_retrain(world)

    spans = await spans_of(world)
    trigger = spans["trigger retrain"]
    assert {row["trace_id"] for row in spans.values()} == {TRACE}
    assert trigger["parent_id"] == "3" * 16
    assert spans["job"]["parent_id"] == trigger["span_id"]


async def test_the_trigger_links_to_the_feedback_that_led_to_it(world: World) -> None:
    await finished_retrain(world)

    links = orjson.loads(orjson.dumps((await spans_of(world))["trigger retrain"]["links"]))
    assert {parse_traceparent(link).trace_id for link in links} == {"c" * 32, "b" * 32, TRACE}


async def test_every_stage_has_a_span_and_none_is_an_orphan(world: World) -> None:
    await finished_retrain(world)

    spans = await spans_of(world)
    stages = {name for name in spans if name.startswith("stage ")}
    assert len(stages) == 8
    known = {row["span_id"] for row in spans.values()} | {"3" * 16}
    assert all(row["parent_id"] in known for row in spans.values())


async def test_a_command_hangs_below_the_span_of_its_stage(world: World) -> None:
    await finished_retrain(world)

    row = (await world.fetch("SELECT headers FROM outbox WHERE topic = $1", TrainModel.topic.name))[
        0
    ]
    headers = dict(decode_headers(row["headers"]))
    parent = parse_traceparent((headers["traceparent"] or b"").decode())
    assert parent is not None
    assert parent.span_id == (await spans_of(world))["stage training"]["span_id"]


async def test_feedback_without_a_context_gives_the_job_a_trace_of_its_own(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=1))
    await world.consume([record_of(feedback("i1"), traceparent=b"nonsense")])

    trace_id = (await world.last(JobStateChanged)).trace_id

    assert len(trace_id) == 32
    assert (await spans_of(world))["trigger retrain"]["parent_id"] is None


async def test_a_failed_stage_says_why_in_its_span(world: World) -> None:
    await world.deliver(configure(), requested())

    span = (await spans_of(world))["job"]

    assert (span["status"], span["error"]) == ("ERROR", span["error"])
    assert "no unused feedback" in span["error"]


async def test_at_most_128_contexts_are_linked(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=140))

    await world.consume(traced(f"i{n}", f"{n + 1:032x}", f"{n + 1:016x}") for n in range(140))

    assert len((await spans_of(world))["trigger retrain"]["links"]) == 128
