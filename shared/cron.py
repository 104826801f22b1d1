"""Times of a cron expression in a time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from shared.errors import PermanentError


class CronInvalid(PermanentError):
    """The expression is none, names no time that ever comes, or the time zone is not known."""


def check_cron(expression: str, time_zone: str) -> None:
    """Refuse what has no next time.

    Raises:
        CronInvalid: see there; its text names what to change.
    """
    if next_time(expression, time_zone, datetime(2026, 1, 1, tzinfo=UTC)) is None:
        raise CronInvalid(f"{expression!r} names no time in the next years; choose another day")


@lru_cache(maxsize=4096)
def next_time(expression: str, time_zone: str, after: datetime) -> datetime | None:
    """The first time of the expression after `after`, as UTC; None: there is none.

    As in Debian's cron, a time that the clock leaves out in spring is taken when the clock goes on,
    and one that it has twice in autumn is taken once.

    Raises:
        CronInvalid: the expression or the time zone is none.
    """
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CronInvalid(
            f"time zone {time_zone!r} is not known; name one of IANA's, such as Europe/Berlin"
        ) from error
    try:
        return next(CronSim(expression, after.astimezone(zone))).astimezone(UTC)
    except StopIteration:
        return None
    except CronSimError as error:
        raise CronInvalid(
            f"cron {expression!r}: {error}; give minute, hour, day of month, month and day of week"
        ) from error
