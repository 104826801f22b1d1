"""Times of every kind that callers send."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from archon_contracts.events import FeedbackReceived
from archon_contracts.formats import TrainingItem
from archon_contracts.rules.moments import UtcTime, to_utc

zones = st.none() | st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
LAST = datetime.max.replace(tzinfo=UTC)
moments = st.datetimes(timezones=zones)


@given(st.lists(moments, min_size=2, max_size=5))
def test_moments_of_all_kinds_can_be_compared(sent: list[datetime]) -> None:
    found = [to_utc(each) for each in sent]

    assert all(each.tzinfo is UTC for each in found)
    assert [to_utc(each) for each in sorted(found)] == sorted(found)


@given(moments)
def test_a_moment_that_has_an_offset_stays_the_same_moment(sent: datetime) -> None:
    found = to_utc(sent)

    is_out_of_the_calendar = found in (datetime.min.replace(tzinfo=UTC), LAST)
    assert sent.tzinfo is None or is_out_of_the_calendar or found == sent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:30:00+05:30", "2025-12-31T19:00:00+00:00"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_a_moment_is_in_utc_and_stays_in_the_calendar(text: str, expected: str) -> None:
    assert TypeAdapter(UtcTime).validate_python(text).isoformat() == expected


@pytest.mark.parametrize("model", [FeedbackReceived, TrainingItem])
def test_events_and_items_have_their_time_in_utc(model: type) -> None:
    fields = {"agent_id": "a", "interaction_id": "i", "input": "x", "rating": 3}

    read = TypeAdapter(model).validate_python(fields | {"occurred_at": "2026-01-01T00:00:00"})

    assert read.occurred_at == datetime(2026, 1, 1, tzinfo=UTC)
