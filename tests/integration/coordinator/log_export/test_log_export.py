"""An agent's logs are gathered as leased work and handed to the evaluator."""

from datetime import timedelta
from typing import Any

from archon_contracts.commands import AnalyzeInteractions, AnalyzeLogs, LogAnalysisPlan
from archon_contracts.events import InteractionLogged, LogAnalysisFailed
from archon_contracts.formats import LOG_FILE, LogRecord, parse_jsonl
from archon_contracts.identifiers import new_id
from tests.support.coordinator.coordinator import (
    AGENT,
    World,
    configure,
    feedback,
    record_of,
    retracted,
)
from tests.support.messaging.messages import NOON

PLAN = LogAnalysisPlan(kind="selector", encoder="pypi:m", method="continual")


def analyze(**fields: Any) -> AnalyzeLogs:
    period = {"since": NOON - timedelta(hours=1), "until": NOON + timedelta(hours=1)}
    values = {"analysis_id": new_id(), "agent_id": AGENT, "plan": PLAN, **period}
    return AnalyzeLogs(**(values | fields))


def interaction(name: str, **fields: Any) -> InteractionLogged:
    values = {"agent_id": AGENT, "interaction_id": name, "input": f"what of {name}?"}
    return InteractionLogged(**(values | fields))


async def records_of(world: World, command: AnalyzeInteractions) -> dict[str, LogRecord]:
    content = await world.shared.artifacts.read(command.records, LOG_FILE)
    return {
        f"{r.kind} {r.interaction_id}": r
        for r in parse_jsonl(content.splitlines(), LogRecord, name=LOG_FILE)
    }


async def test_interactions_and_feedback_of_windows_too_are_gathered(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=2), configure("other"))
    logged = interaction("i0", latency_seconds=0.5, input_tokens=7, error="late")
    await world.consume([record_of(logged), record_of(interaction("o", agent_id="other"))])
    await world.consume(record_of(feedback(f"i{n}", rating=2.0)) for n in range(2))
    await world.consume([record_of(feedback("i2")), record_of(feedback("i3"))])
    await world.consume([record_of(retracted("i3"))])
    command = analyze()

    await world.deliver(command)

    sent: AnalyzeInteractions = await world.last(AnalyzeInteractions)
    found = await records_of(world, sent)
    assert sorted(found) == ["feedback i0", "feedback i1", "feedback i2", "interaction i0"]
    assert (sent.analysis_id, sent.is_cut, sent.plan) == (command.analysis_id, False, PLAN)
    first, answer = found["feedback i0"], found["interaction i0"]
    assert (first.correction, first.answer, first.rating) == ("right", "wrong", 2.0)
    assert (answer.latency_seconds, answer.input_tokens, answer.error) == (0.5, 7, "late")


async def test_of_many_records_the_newest_are_taken_and_the_rest_is_cut(world: World) -> None:
    await world.deliver(configure(trigger_minimum_feedback=10_000))
    await world.consume(record_of(interaction(f"i{n}")) for n in range(3))
    world.clock.move(60)
    await world.consume(record_of(interaction(f"j{n}")) for n in range(300))

    await world.deliver(analyze(most=300))

    sent: AnalyzeInteractions = await world.last(AnalyzeInteractions)
    assert sent.is_cut
    found = await records_of(world, sent)
    assert len(found) == 300
    assert not any(name.startswith("interaction i") for name in found)


async def test_a_period_without_records_is_a_failure_that_says_so(world: World) -> None:
    await world.deliver(configure())
    await world.consume([record_of(interaction("i0"))])
    late = {"since": NOON + timedelta(hours=2), "until": NOON + timedelta(hours=3)}

    await world.deliver(analyze(**late))

    failed: LogAnalysisFailed = await world.last(LogAnalysisFailed)
    assert (failed.error_type, failed.retryable) == ("NothingLogged", False)
    assert "name more hours" in failed.reason
