"""Bodies of messages: what goes out comes back, and what is wrong is refused."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

import archon_contracts
from archon_contracts.catalogue import BY_TYPE, CONTRACTS
from archon_contracts.events import FeedbackReceived, MetricPoint
from archon_contracts.topics import ALL_TOPICS

SIGNS = st.characters(codec="utf-8", exclude_characters="\0")
identifiers = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._:@-]{0,20}\Z")
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**12), 10**12)
leaves = st.none() | st.booleans() | numbers | st.text(SIGNS, max_size=10)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(SIGNS, max_size=5), inner),
    max_leaves=6,
)
feedback = st.builds(
    FeedbackReceived,
    agent_id=identifiers,
    interaction_id=identifiers,
    input=anything.filter(lambda value: value is not None),
    actual=anything,
    expected=anything,
    rating=st.floats(1, 5),
    reward=st.none() | st.floats(-1, 1),
    context=st.dictionaries(st.text(SIGNS, max_size=5), anything, max_size=3),
    occurred_at=st.none() | st.datetimes(timezones=st.just(UTC)),
)
GIVEN: dict[str, Any] = {"agent_id": "a", "interaction_id": "i", "input": "q", "actual": "x"}


@given(feedback)
def test_feedback_comes_back_from_its_bytes(event: FeedbackReceived) -> None:
    assert FeedbackReceived.model_validate_json(event.to_bytes()) == event


def test_absent_fields_are_not_on_the_wire() -> None:
    body = FeedbackReceived(**GIVEN, rating=3).to_json()

    assert set(body) == {*GIVEN, "tenant_id", "rating", "source", "context"}


def test_unknown_fields_are_ignored() -> None:
    event = FeedbackReceived.model_validate({**GIVEN, "rating": 3, "mood": "good"})

    assert event == FeedbackReceived(**GIVEN, rating=3)


def test_feedback_that_rates_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one of expected, rating, reward, signals"):
        FeedbackReceived(**GIVEN)


@pytest.mark.parametrize(
    "behaviour",
    [{"signals": [{"kind": "undone", "after_seconds": 12}]}, {"shown": ["a", "b"]}],
)
def test_behaviour_alone_is_feedback(behaviour: dict[str, Any]) -> None:
    event = FeedbackReceived(**GIVEN, **behaviour)

    assert FeedbackReceived.model_validate_json(event.to_bytes()) == event


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"signals": [{"kind": "frowned", "after_seconds": 1}]}, "signals.0.kind"),
        ({"signals": [{"kind": "undone", "after_seconds": -1}]}, "signals.0.after_seconds"),
        ({"signals": [{"kind": "undone"}]}, "signals.0.after_seconds"),
        ({"shown": [""]}, "shown.0"),
        ({"shown": ["a"] * 101}, "shown"),
        ({"rating": 1, "propensity": 0}, "propensity"),
        ({"rating": 1, "propensity": 1.01}, "propensity"),
    ],
)
def test_a_wrong_signal_is_refused_by_its_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        FeedbackReceived(**GIVEN, **fields)

    assert [".".join(map(str, error["loc"])) for error in refused.value.errors()] == [named]


@pytest.mark.parametrize("rating", [0.5, 5.5, math.nan, math.inf])
def test_a_rating_outside_one_to_five_is_refused(rating: float) -> None:
    with pytest.raises(ValidationError):
        FeedbackReceived(**GIVEN, rating=rating)


def test_an_input_of_null_is_refused() -> None:
    with pytest.raises(ValidationError):
        FeedbackReceived(**{**GIVEN, "input": None}, rating=3)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_json_cannot_carry_is_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        MetricPoint(name="loss", value=value, step=1, recorded_at=datetime.now(UTC))


def test_an_error_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        FeedbackReceived(**{**GIVEN, "agent_id": "secret words"}, rating=3)

    assert "secret words" not in str(caught.value)


def test_a_key_begins_with_the_tenant() -> None:
    assert FeedbackReceived(**GIVEN, rating=3, tenant_id="acme").key == "acme/a"


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_every_contract_is_found_by_its_type_and_has_a_known_topic_and_key(contract: Any) -> None:
    assert BY_TYPE[contract.message_type()] is contract
    assert contract.topic in ALL_TOPICS
    assert contract.model_fields[contract.key_field].is_required()


def every_model(base: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    """Every model of the contracts."""
    for model in base.__subclasses__():
        if model.__module__.startswith("archon_contracts."):
            yield model
        yield from every_model(model)


def test_what_may_be_null_may_be_absent() -> None:
    """Bodies leave null out: a required field that may be null would be refused by its reader."""
    for module in pkgutil.walk_packages(archon_contracts.__path__, "archon_contracts."):
        importlib.import_module(module.name)
    models = set(every_model())

    assert len(models) > 100
    assert [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if field.is_required() and type(None) in get_args(field.annotation)
    ] == []
