"""Conditions on versions: what they mean, and which cannot be read."""

import math
from uuid import UUID

import pytest

from services.gateway.errors import Invalid
from services.gateway.models.search import ModelFilter, parse_conditions

JOB = UUID(int=7)


def test_no_condition_fits_every_version() -> None:
    assert parse_conditions([]) == ModelFilter()


def test_conditions_are_of_the_version_a_metric_or_its_lineage() -> None:
    found = parse_conditions(
        ["status=ready", f"job_id={JOB}", "accuracy>=0.8", "new topics<=0.9", "seed=7", "method=x"]
    )

    assert (found.status, found.job_id) == ("ready", JOB)
    assert found.metrics == (("accuracy", 0.8, math.inf), ("new topics", -math.inf, 0.9))
    assert found.facts == {"seed": 7, "method": "x"}


@pytest.mark.parametrize(
    ("condition", "rule"),
    [
        ("accuracy", "form"),
        ("=3", "form"),
        ("accuracy>=", "form"),
        ("accuracy>=high", "number"),
        ("accuracy>=nan", "number"),
        ("accuracy<=inf", "number"),
        ("status=lost", "status"),
        ("job_id=7", "uuid"),
    ],
)
def test_a_condition_that_cannot_be_read_is_named(condition: str, rule: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_conditions(["status=ready", condition])

    assert [(each.field, each.rule) for each in refusal.value.errors] == [("query.where", rule)]


def test_too_many_conditions_are_refused() -> None:
    with pytest.raises(Invalid, match="20 are allowed"):
        parse_conditions(["seed=1"] * 21)
