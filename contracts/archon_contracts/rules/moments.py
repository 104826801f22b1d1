"""Times that callers send: with an offset, without one, and beyond what a calendar has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)


def to_utc(moment: datetime) -> datetime:
    """The moment in UTC, which one without an offset is taken to be in.

    Python cannot compare the two kinds, and files and logs hold both. The first and last hours of
    the calendar with an offset are no time in UTC; they become its first and last moment.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if moment.year == _EARLIEST.year else _LATEST


UtcTime = Annotated[datetime, AfterValidator(to_utc)]
