"""Two versions side by side: pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import JsonValue

from services.gateway.domain import ModelView
from services.gateway.views.models import (
    Ancestor,
    ComparisonView,
    FieldDifference,
    MetricDifference,
)

OWN: Final = ("facts",)
"""Not compared as a field: what is in it stands beside it."""
_MISSING: Final = object()


def compare_models(
    first: ModelView,
    second: ModelView,
    ancestors: tuple[Sequence[Ancestor], Sequence[Ancestor]],
) -> ComparisonView:
    """What differs between two versions; `ancestors` of each, itself first."""
    left, right = list_fields(first), list_fields(second)
    return ComparisonView(
        agent_id=first.agent_id,
        first=first.version,
        second=second.version,
        same_weights=bool(first.digest) and first.digest == second.digest,
        common_ancestor=_common(*ancestors),
        metrics=[
            _compare_metric(name, first.metrics.get(name), second.metrics.get(name))
            for name in sorted({*first.metrics, *second.metrics})
        ],
        differences=[
            FieldDifference(field=name, first=left.get(name), second=right.get(name))
            for name in sorted({*left, *right})
            if left.get(name, _MISSING) != right.get(name, _MISSING)
        ],
    )


def _compare_metric(name: str, first: Any, second: Any) -> MetricDifference:
    left, right = _value(first), _value(second)
    difference = None if left is None or right is None else right - left
    return MetricDifference(name=name, first=first, second=second, difference=difference)


def _value(estimate: Any) -> float | None:
    value = estimate.get("value") if isinstance(estimate, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def _common(first: Sequence[Ancestor], second: Sequence[Ancestor]) -> str | None:
    known = {ancestor.version for ancestor in second}
    return next((each.version for each in first if each.version in known), None)


def list_fields(model: ModelView) -> dict[str, JsonValue]:
    """The lineage as dotted names, so that one changed hyper-parameter is one row."""
    whole = model.lineage.model_dump(mode="json", exclude_none=True, exclude=set(OWN))
    return dict(_flatten("", whole))


def _flatten(prefix: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    if not isinstance(value, dict):
        yield prefix, value
        return
    for name, part in value.items():
        yield from _flatten(f"{prefix}.{name}" if prefix else name, part)
