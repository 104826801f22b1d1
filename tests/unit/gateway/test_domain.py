"""Stage times, remaining time and orphans."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain import (
    SpanView,
    TransitionView,
    build_trace,
    estimate_eta_seconds,
    sum_stage_seconds,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def step(state: str, seconds: float) -> TransitionView:
    return TransitionView(state=state, attempt=1, reason="", at=NOON + timedelta(seconds=seconds))


def span(span_id: str, parent_id: str | None, service: str = "trainer") -> SpanView:
    return SpanView(
        span_id=span_id,
        parent_id=parent_id,
        service=service,
        name="n",
        kind="INTERNAL",
        started_at=NOON,
        ended_at=NOON,
        status="OK",
        error=None,
        attributes={},
        links=[],
    )


def test_a_stage_that_is_entered_twice_is_summed_up() -> None:
    history = [step("queued", 0), step("training", 2), step("queued", 5), step("training", 6)]

    spent = sum_stage_seconds(history, NOON + timedelta(seconds=10))

    assert spent == {"queued": 3.0, "training": 7.0}


def test_a_final_state_takes_no_time() -> None:
    spent = sum_stage_seconds([step("training", 0), step("completed", 4)], NOON + timedelta(days=1))

    assert spent == {"training": 4.0}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12))
def test_open_stages_add_up_to_the_age_of_the_job(waits: list[float]) -> None:
    moments = [sum(waits[:n]) for n in range(len(waits))]
    history = [step(("queued", "training")[n % 2], at) for n, at in enumerate(moments)]

    spent = sum_stage_seconds(history, NOON + timedelta(seconds=sum(waits)))

    assert sum(spent.values()) == pytest.approx(sum(waits), abs=0.01)


def test_remaining_time_follows_the_pace_after_the_first_step() -> None:
    left = estimate_eta_seconds(
        step=11,
        resumed_from=0,
        total=31,
        started_at=NOON,
        recorded_at=NOON + timedelta(seconds=20),
    )

    assert left == 40.0


def test_a_resumed_training_is_paced_by_its_own_steps() -> None:
    left = estimate_eta_seconds(
        step=105,
        resumed_from=100,
        total=113,
        started_at=NOON,
        recorded_at=NOON + timedelta(seconds=4),
    )

    assert left == 8.0


def test_one_step_shows_no_pace() -> None:
    assert (
        estimate_eta_seconds(step=1, resumed_from=0, total=9, started_at=NOON, recorded_at=NOON)
        is None
    )


def test_a_span_whose_parent_is_missing_is_an_orphan() -> None:
    spans = [span("a", None, "gateway"), span("b", "a"), span("c", "lost")]

    trace = build_trace("t", spans)

    assert trace.orphans == ["c"]
    assert trace.services == ["gateway", "trainer"]
