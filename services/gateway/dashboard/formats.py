"""Numbers, times and names as pages show them: pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

MINUS: Final = "\N{MINUS SIGN}"
NOTHING: Final = "\N{EN DASH}"
UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))


def percent(value: float | None) -> str:
    """A proportion in percent, one decimal."""
    return NOTHING if value is None else f"{100 * value:.1f} %"


def points(value: float) -> str:
    """A difference of proportions in percentage points; a true minus is as wide as a plus."""
    return f"{100 * value:+.1f}".replace("-", MINUS)


def interval(estimate: Mapping[str, Any]) -> str:
    """The ends of an estimate's interval, in percent."""
    return f"{100 * estimate['low']:.1f} to {100 * estimate['high']:.1f} %"


def duration(seconds: float | None) -> str:
    """A time span in the unit that suits it: 0.42 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    for index, (unit, size) in enumerate(UNITS):
        if whole >= size:
            smaller, step = (UNITS[index + 1]) if index + 1 < len(UNITS) else ("s", 1)
            rest = whole % size // step
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def ago(moment: datetime | None, now: datetime) -> str:
    """How long before `now`, in one unit; the clocks of two machines may differ a little."""
    if moment is None:
        return NOTHING
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    text = next(
        (f"{round(abs(seconds) / size)} {unit}" for unit, size in UNITS if abs(seconds) >= size),
        f"{abs(seconds):.0f} s",
    )
    return f"{text} ago" if seconds > 0 else f"in {text}"


def stamp(moment: datetime | None) -> str:
    """A time in UTC, to the second."""
    if moment is None:
        return NOTHING
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def count(value: int | None) -> str:
    """A whole number with thousands apart."""
    return NOTHING if value is None else f"{value:,}"


def short(name: object) -> str:
    """The end of an id: UUIDv7s of one minute begin alike."""
    text = str(name)
    return text if len(text) <= 12 else f"\N{HORIZONTAL ELLIPSIS}{text[-8:]}"


def words(name: str) -> str:
    """A name of the program as words."""
    return name.replace("_", " ")


def event_words(name: str) -> str:
    """The name of an event as words: ModelDeployed is "model deployed"."""
    return "".join(f" {each.lower()}" if each.isupper() else each for each in name).strip()


def link(*parts: object, **query: object) -> str:
    """An address of this site; its parts and values are escaped, and absent values left out."""
    path = "/".join(quote(str(part), safe="") for part in parts)
    stated = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"/{path}" + (f"?{urlencode(stated)}" if stated else "")
