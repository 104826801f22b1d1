"""Times of cron expressions."""

from datetime import UTC, datetime

import pytest

from shared.cron import CronInvalid, check_cron, next_time


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 3 * * *", (2026, 1, 1, 12), (2026, 1, 2, 2)),
        # The clock goes from 2:00 to 3:00 that night: the time that it leaves out is taken then.
        ("30 2 * * *", (2026, 3, 28, 12), (2026, 3, 29, 1)),
        # It has 2:30 twice that night, and the job runs at the first one alone.
        ("30 2 * * *", (2026, 10, 24, 12), (2026, 10, 25, 0, 30)),
        ("30 2 * * *", (2026, 10, 25, 0, 30), (2026, 10, 26, 1, 30)),
    ],
)
def test_the_next_time_follows_the_zones_clock(
    cron: str, after: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    found = next_time(cron, "Europe/Berlin", datetime(*after, tzinfo=UTC))  # type: ignore[misc,arg-type]  # a time's parts

    assert found == datetime(*expected, tzinfo=UTC)  # type: ignore[misc,arg-type]  # as above


@pytest.mark.parametrize(
    ("cron", "zone", "named"),
    [
        ("0 0 30 2 *", "UTC", "Bad day-of-month"),
        ("61 * * * *", "UTC", "Bad minute"),
        ("* * *", "UTC", "give minute"),
        ("0 3 * * *", "Europe/Bonn", "Europe/Berlin"),
        ("0 3 * * *", "../etc", "IANA"),
    ],
)
def test_what_never_comes_is_refused_with_the_fix(cron: str, zone: str, named: str) -> None:
    with pytest.raises(CronInvalid, match=named):
        check_cron(cron, zone)
