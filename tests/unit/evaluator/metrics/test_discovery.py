import sys
from pathlib import Path

import pytest

from archon_contracts.values import MetricFamily
from services.evaluator.errors import MetricInvalid
from services.evaluator.metrics.discovery import find_metrics, own_metrics
from services.evaluator.metrics.measuring import measure_all
from services.evaluator.metrics.metric import Evidence, Metric
from services.evaluator.metrics.specification import ELSEWHERE, SPECIFIED, list_metrics_for
from tests.unit.evaluator.metrics.cases import case

OWN = """
from archon_contracts.values import Estimate, MetricFamily
from services.evaluator.metrics.metric import Measurement, Metric

METRIC = Metric(
    name="{name}", family=MetricFamily.ACCURACY, summary="politeness",
    measure=lambda evidence: {{"all": Measurement(Estimate(value=1, low=0, high=1, n=1))}},
)
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *, name: str, value: str) -> None:
    """A distribution with one entry point, as pip leaves it."""
    info = folder / "polite-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: polite\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[archon.metrics]\npoliteness = {value}\n")
    (folder / "polite_metric.py").write_text(OWN.format(name=name))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "polite_metric", raising=False)


def test_another_distribution_adds_a_metric_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, name="politeness", value="polite_metric:METRIC")

    results, _ = measure_all([find_metrics()["politeness"]], Evidence([case()]), model="agent")

    assert [(each.name, each.estimate.value) for each in results] == [("politeness", 1.0)]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("politeness", "no_such_module:METRIC", "cannot be loaded"),
        ("politeness", "polite_metric:Estimate", "must be a"),
        ("accuracy", "polite_metric:METRIC", "rename it"),
    ],
)
def test_an_unusable_entry_point_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    install(tmp_path, monkeypatch, name=name, value=value)

    with pytest.raises(MetricInvalid, match=f"politeness.*{problem}"):
        find_metrics()


def test_a_metric_that_raises_takes_no_other_with_it() -> None:
    def fail(_evidence: Evidence) -> dict[str, object]:
        raise ZeroDivisionError("by nothing")

    broken = Metric("broken", MetricFamily.ACCURACY, "broken", fail)  # type: ignore[arg-type]
    evidence = Evidence([case(target="a", output="a")])

    results, gaps = measure_all([broken, own_metrics()["accuracy"]], evidence, model="agent")

    assert [each.name for each in results] == ["accuracy"]
    assert [(g.metric, g.unscored) for g in gaps] == [("broken", 1)]
    assert "ZeroDivisionError: by nothing" in gaps[0].reason


def test_each_family_of_the_specification_has_metrics() -> None:
    families = {metric.family for metric in own_metrics().values()}

    assert families == set(MetricFamily) - {MetricFamily.QUALITY, MetricFamily.LATENCY}


def test_each_metric_of_the_specification_has_code_or_says_where_it_is() -> None:
    specified = [name for names in SPECIFIED.values() for name in names]

    assert [n for n in specified if n not in ELSEWHERE and not list_metrics_for(n)] == []
    named = {name for metric in own_metrics().values() for name in metric.specification}
    assert named <= set(specified)
    assert all(metric.specification for metric in own_metrics().values())
