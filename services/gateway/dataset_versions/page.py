"""The quality report of a dataset version as one HTML page that loads and runs nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archon_contracts.formats import DatasetQuality, Freshness
from services.gateway.reports.page import CONTENT_SECURITY_POLICY, STYLE

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATES: Final = Path(__file__).parent / "templates"
BAR_WIDTH: Final = 320.0
SHOWN_TARGETS: Final = 40
SHOWN_SUSPECTS: Final = 100


def render_quality_page(quality: DatasetQuality, version: int) -> str:
    """The whole page."""
    counts = quality.balance.counts if quality.balance else {}
    shown = list(counts.items())[:SHOWN_TARGETS]
    widest = max(counts.values(), default=1)
    return _template().render(
        quality=quality,
        version=version,
        bars=[(name, count, round(BAR_WIDTH * count / widest, 1)) for name, count in shown],
        bar_width=BAR_WIDTH,
        left_out=max(0, (quality.balance.targets if quality.balance else 0) - len(shown)),
        suspects=quality.label_errors.items[:SHOWN_SUSPECTS] if quality.label_errors else (),
        ages=_place_ages(quality.freshness),
        policy=CONTENT_SECURITY_POLICY,
    )


def _place_ages(freshness: Freshness) -> tuple[tuple[str, str, float], ...]:
    """Name, day and place on a line from the oldest item to the newest."""
    oldest, median, newest = freshness.oldest, freshness.median, freshness.newest
    if oldest is None or median is None or newest is None:
        return ()
    span = (newest - oldest).total_seconds() or 1.0
    return tuple(
        (name, f"{at:%Y-%m-%d %H:%M}", round(BAR_WIDTH * (at - oldest).total_seconds() / span, 1))
        for name, at in (("oldest", oldest), ("median", median), ("newest", newest))
    )


@cache
def _template() -> Template:
    # Imported with the first page: an idle gateway does not need it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: f"{100 * value:.1f} %"
    environment.globals["style"] = Markup(STYLE)
    return environment.get_template("quality_report.html")
