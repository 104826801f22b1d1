"""The report as one HTML page that loads and runs nothing.

Its only style stands in the page and is named by its hash, so that neither a browser nor what the
report quotes can bring another one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archon_contracts import metric_names
from archon_contracts.commands import RunSummary
from archon_contracts.formats import MoveEffect, RunReport, TopicDecision
from archon_contracts.values import Estimate
from services.gateway.reports import charts

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATES: Final = Path(__file__).parent / "templates"
STYLE: Final = (_TEMPLATES / "run_report.css").read_text()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
)
"""Also in the page itself, which is mostly opened as a file. Where it is served, the header adds
what only a header can say."""
HEADER_POLICY: Final = f"{CONTENT_SECURITY_POLICY}; frame-ancestors 'none'; sandbox"

DECISIONS: Final[Mapping[TopicDecision, tuple[str, str]]] = {
    # A sign beside each word: colour alone must not carry a meaning.
    TopicDecision.GAIN: ("good", "▲ gain"),
    TopicDecision.NO_CHANGE: ("plain", "= no change"),
    TopicDecision.LOSS_WITHIN_LIMIT: ("warn", "▽ loss within the limit"),
    TopicDecision.LOSS_BEYOND_LIMIT: ("bad", "▼ loss beyond the limit"),
    TopicDecision.UNDECIDED: ("warn", "? not enough items"),
    TopicDecision.NEEDS_REVIEW: ("warn", "! a person decides"),
    TopicDecision.TOO_FEW_ITEMS: ("plain", "· guarded with the other small ones"),
    TopicDecision.NOT_LIMITED: ("plain", "▽ below the base model"),
}
EFFECTS: Final[Mapping[MoveEffect, tuple[str, str]]] = {
    MoveEffect.CORRECTED: ("good", "▲ corrected"),
    MoveEffect.BROKEN: ("bad", "▼ broken"),
    MoveEffect.STILL_WRONG: ("plain", "= still wrong"),
}


def render_page(report: RunReport) -> str:
    """The whole page."""
    topics = report.changes.topics if report.changes else ()
    return _template().render(
        report=report,
        changes=report.changes,
        rows=list(zip(topics, charts.place_intervals(topics), strict=True)),
        line_charts=charts.draw_curves(report.curves),
        geometry=charts,
        conclusion=_conclusion(report),
        sentences=[part for reason in report.reasons for part in reason.split("; ") if part],
        total_seconds=sum(report.stage_seconds.values()),
        effort=_effort(report.changes.run if report.changes else None),
        decisions=DECISIONS,
        effects=EFFECTS,
        policy=CONTENT_SECURITY_POLICY,
    )


FIGURES: Final[Mapping[str, str]] = {
    metric_names.BEST_EPOCH: "best epoch, which was kept",
    metric_names.MAX_LENGTH: "tokens read of a text",
    metric_names.CUT_TEXTS: "proportion of longer texts, cut",
    metric_names.INTERPOLATION_FACTOR: "way from the deployed weights to the run's end",
    metric_names.SEARCH_TRIALS: "trials of the search for settings",
    metric_names.SEARCH_PRUNED: "trials that ended early",
    metric_names.SEARCH_FAILED: "trials of which no model came",
    metric_names.SEARCH_SECONDS: "seconds of the search",
    metric_names.SEED_TRAININGS: "trainings that differ by their seed alone",
    metric_names.SEED_DEVIATION: "standard deviation of their accuracy",
}
"""Figures of a training that say what it used or chose, in words."""


def _effort(run: RunSummary | None) -> list[tuple[str, str]]:
    """Steps, items and settings of the training, as far as they are known."""
    if run is None:
        return []
    found = [("optimizer steps", f"{run.steps}")]
    if run.left_out is not None:
        found.append(("new items that were left out", f"{run.left_out}"))
    metrics = run.metrics
    found += [(words, f"{metrics[name]:.4g}") for name, words in FIGURES.items() if name in metrics]
    chosen, importance = metric_names.SEARCHED, metric_names.SEARCH_IMPORTANCE
    for name, value in sorted(metrics.items()):
        if name.startswith(chosen):
            setting = name.removeprefix(chosen).replace("_", " ")
            found.append((f"found by the search: {setting}", f"{value:.3g}"))
        elif name.startswith(importance):
            setting = name.removeprefix(importance).replace("_", " ")
            found.append((f"of the accuracy's variation explained by {setting}", f"{value:.0%}"))
    return found


def _conclusion(report: RunReport) -> tuple[str, str]:
    """How the gate decided: a class of the style, and words."""
    if report.passed is None:
        return "plain", f"not evaluated: the job is {report.state}"
    if not report.passed:
        return "bad", "▼ refused by the gate"
    if report.review_reasons:
        return "warn", "! passed the gate; a person decides on the deployment"
    return "good", "▲ passed the gate"


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
    environment.filters |= {
        "percent": _percent,
        "points": _points,
        "interval": _interval,
        "seconds": _seconds,
        "milliseconds": _milliseconds,
    }
    environment.globals["style"] = Markup(STYLE)
    return environment.get_template("run_report.html")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _points(value: float) -> str:
    """A difference of proportions, in points; a true minus sign is as wide as a plus."""
    return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")


def _interval(estimate: Estimate) -> str:
    return f"{_points(estimate.low)} to {_points(estimate.high)}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{1000 * value:.1f} ms"
