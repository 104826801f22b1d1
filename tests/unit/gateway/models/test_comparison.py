"""Two versions side by side."""

from typing import Any

from services.gateway.domain import Lineage, ModelView
from services.gateway.models.comparison import compare_models
from services.gateway.views.models import Ancestor


def version(number: str, digest: str, metrics: dict[str, Any], **facts: Any) -> ModelView:
    return ModelView(
        agent_id="a",
        version=number,
        status="ready",
        digest=digest,
        uri="file:///m",
        metrics=metrics,
        lineage=Lineage(facts=facts),
    )


def line(*versions: str) -> list[Ancestor]:
    return [Ancestor(version=each, status="ready", digest="") for each in versions]


FIRST = version("1.1.0", "a", {"x": {"value": 0.5}, "y": {"value": 1.0}}, seed=1, config={"e": 2})
SECOND = version("1.2.0", "b", {"x": {"value": 0.75}}, seed=1, config={"e": 3, "r": 4})


def test_metrics_differ_where_both_have_them() -> None:
    found = compare_models(FIRST, SECOND, (line("1.1.0"), line("1.2.0")))

    assert [(each.name, each.difference) for each in found.metrics] == [("x", 0.25), ("y", None)]


def test_a_changed_hyper_parameter_is_one_row_and_equal_fields_are_none() -> None:
    found = compare_models(FIRST, SECOND, (line("1.1.0"), line("1.2.0")))

    rows = [(each.field, each.first, each.second) for each in found.differences]
    assert rows == [("config.e", 2, 3), ("config.r", None, 4)]


def test_the_nearest_common_ancestor_is_named() -> None:
    lines = (line("1.1.0", "1.0.0"), line("1.2.0", "1.1.0", "1.0.0"))

    assert compare_models(FIRST, SECOND, lines).common_ancestor == "1.1.0"
    assert compare_models(FIRST, SECOND, (line("1.1.0"), line("1.2.0"))).common_ancestor is None


def test_equal_digests_are_the_same_weights() -> None:
    lines = (line("1.1.0"), line("1.1.0"))

    assert compare_models(FIRST, FIRST, lines).same_weights
    assert not compare_models(FIRST, SECOND, lines).same_weights
    training = version("1.3.0-candidate.1", "", {})
    assert not compare_models(training, training, lines).same_weights
