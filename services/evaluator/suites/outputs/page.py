"""A suite's report as one HTML page that loads and runs nothing.

Its only style stands in the page and is named by its hash, so that neither a browser nor what an
agent answered can bring another one. jinja2 comes with torch: children and the CLI import this.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from archon_contracts.formats import (
    AbstentionPoint,
    AnswerExplanation,
    CaseResult,
    ConfusionCell,
    ReliabilityBin,
    SuiteReport,
)
from archon_contracts.values import MetricFamily, MetricResult

TEMPLATES: Final = Path(__file__).parent / "templates"
_STYLE: Final = (TEMPLATES / "suite_report.css").read_text()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
SUITE_PAGE_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
)
CHART: Final = 240.0
"""Side of a square chart, whose axes go from 0 to 1."""
MATRIX_CLASSES: Final = 20
"""More rows do not fit a screen; the classes with most errors are shown."""
CELL: Final = 14.0
CHARACTER: Final = 8.0
"""Width of a letter in the drawings of tokens, which are set in one width."""
MAP_LABELS: Final = 120.0
"""Place for the tokens beside and above an attention map."""
SHOWN_EXAMPLES: Final = 200
"""Texts of cases in the page: those of the clusters of errors."""


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """A point with the interval of its height."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Counts by right answer (rows) and answer given (columns)."""

    targets: Sequence[str]
    outputs: Sequence[str]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class TokenBox:
    """One token of a line of text, as dark as it matters."""

    x: float
    width: float
    text: str
    value: float
    opacity: float


@dataclass(frozen=True, slots=True)
class MapCell:
    """One cell of an attention map."""

    x: float
    y: float
    value: float
    opacity: float


@dataclass(frozen=True, slots=True)
class ExplainedAnswer:
    """An explanation in the units of its drawings."""

    explanation: AnswerExplanation
    boxes: Sequence[TokenBox]
    cells: Sequence[MapCell]

    @property
    def width(self) -> float:
        """Of the line of tokens."""
        return self.boxes[-1].x + self.boxes[-1].width

    @property
    def side(self) -> float:
        """Of the map, without its labels."""
        return CELL * len(self.boxes)


def render_suite_page(report: SuiteReport) -> str:
    """The whole page."""
    products = report.products
    examples = {id_ for cluster in products.errors for id_ in cluster.examples}
    return _template().render(
        report=report,
        families=_by_family(report.metrics),
        matrix=build_matrix(products.confusion),
        reliability=place_reliability(products.reliability),
        abstention=place_abstention(products.abstention),
        examples=_select_examples(report.results, examples),
        explained=[place_explanation(each) for each in products.explanations],
        cell=CELL,
        labels=MAP_LABELS,
        side=CHART,
        policy=SUITE_PAGE_POLICY,
    )


def _by_family(metrics: Sequence[MetricResult]) -> dict[MetricFamily, list[MetricResult]]:
    found: dict[MetricFamily, list[MetricResult]] = {}
    for result in metrics:
        found.setdefault(result.family, []).append(result)
    return found


def _select_examples(results: Sequence[CaseResult], ids: set[str]) -> list[CaseResult]:
    return [each for each in results if each.id in ids][:SHOWN_EXAMPLES]


def build_matrix(cells: Sequence[ConfusionCell]) -> ConfusionMatrix:
    """The classes that are confused most, each with its right answers too."""
    wrong: dict[str, int] = {}
    for cell in cells:
        if cell.target != cell.output:
            for name in (cell.target, cell.output):
                wrong[name] = wrong.get(name, 0) + cell.items
    chosen = sorted(wrong, key=lambda name: (-wrong[name], name))[:MATRIX_CLASSES]
    counts = {(cell.target, cell.output): cell.items for cell in cells}
    asked = {cell.target for cell in cells}
    targets = sorted(name for name in chosen if name in asked)
    outputs = sorted(chosen)
    table = [[counts.get((target, output), 0) for output in outputs] for target in targets]
    return ConfusionMatrix(targets, outputs, table)


def place_reliability(bins: Sequence[ReliabilityBin]) -> list[ChartPoint]:
    """Accuracy over confidence, in the units of the chart."""
    return [
        ChartPoint(
            _across(each.confidence),
            _up(each.accuracy.value),
            _up(each.accuracy.low),
            _up(each.accuracy.high),
        )
        for each in bins
    ]


def place_abstention(points: Sequence[AbstentionPoint]) -> list[ChartPoint]:
    """Accuracy over coverage, in the units of the chart."""
    return [
        ChartPoint(
            _across(each.coverage),
            _up(each.accuracy.value),
            _up(each.accuracy.low),
            _up(each.accuracy.high),
        )
        for each in points
    ]


def place_explanation(explanation: AnswerExplanation) -> ExplainedAnswer:
    """Tokens in a line, and the map of who has read whom; the darkest is the largest of each."""
    most = max((abs(each) for each in explanation.attributions), default=0.0) or 1.0
    boxes, x = [], 0.0
    for token, value in zip(explanation.tokens, explanation.attributions, strict=True):
        width = CHARACTER * len(token) + 2 * CHARACTER
        boxes.append(TokenBox(x, width, token, value, round(abs(value) / most, 3)))
        x += width
    densest = max((max(row) for row in explanation.attention), default=0.0) or 1.0
    cells = [
        MapCell(CELL * column, CELL * row, value, round(value / densest, 3))
        for row, values in enumerate(explanation.attention)
        for column, value in enumerate(values)
    ]
    return ExplainedAnswer(explanation, boxes, cells)


def _across(value: float) -> float:
    return round(CHART * value, 1)


def _up(value: float) -> float:
    return round(CHART * (1 - value), 1)


def _figure(value: float) -> str:
    return f"{value:.4g}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = _figure
    environment.globals["style"] = Markup(_STYLE)
    return environment.get_template("suite_report.html")
