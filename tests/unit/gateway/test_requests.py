"""What callers send: texts that others will read are one line of what can be seen."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError, create_model

from archon_contracts.values import TrainingConfig
from services.gateway.functions import requests as function_requests
from services.gateway.requests import (
    AgentRequest,
    KeyRequest,
    Label,
    RequestBody,
    Sentence,
    StrictGatePolicy,
    StrictTrainingConfig,
)
from services.trainer.recipes.run import (
    ClassifierConfig,
    GeneratorConfig,
    RunConfig,
    SelectorConfig,
)

DEFAULTS = {"epochs": 1, "batch_size": 8, "learning_rate": 0.1, "max_length": 32}
CONTROLS = ["\x00", "\n", "\r", "\x1b[2J", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066"]


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("kind", [Sentence, Label])
def test_a_text_of_one_line_has_no_control_characters(kind: object, control: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(f"before{control}after")


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        ({"metric": "latency_seconds", "kind": "may_not_fall", "margin": 0.01}, True),
        ({"metric": "acuracy", "kind": "may_not_fall"}, False),
        ({"metric": "accuracy", "kind": "must_improve", "confidence": 1.0}, False),
        ({"metric": "accuracy", "kind": "must_improve", "margins": 0.1}, False),
    ],
)
def test_a_requirement_of_the_gate_is_read_strictly(
    fields: dict[str, object], accepted: bool
) -> None:
    if accepted:
        assert StrictGatePolicy(requirements=[fields]).requirements[0].margin == 0.01
        return
    with pytest.raises(ValidationError):
        StrictGatePolicy(requirements=[fields])


@pytest.mark.parametrize("control", CONTROLS)
def test_the_name_of_a_key_has_no_control_characters(control: str) -> None:
    with pytest.raises(ValidationError):
        KeyRequest(name=f"a{control}", scopes=frozenset({"read"}))


@pytest.mark.parametrize("text", ["ja, größer [v2] ✓", "日本語", "a/b: c (d)"])
def test_any_other_text_is_accepted(text: str) -> None:
    assert TypeAdapter(Sentence).validate_python(text) == text


def _numbers(model: type[BaseModel]) -> Iterator[Any]:
    """The fields of a model and of those in it that are numbers."""
    for name, field in model.model_fields.items():
        parts = [field.annotation, *get_args(field.annotation)]
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _numbers(part)
        if {int, float} & {origin for part in parts for origin in (part, *get_args(part)[:1])}:
            holder = create_model("Holder", **{name: (field.annotation, field)})
            yield pytest.param(holder, field.alias or name, id=f"{model.__name__}.{name}")


def _request_models() -> list[type[BaseModel]]:
    return [*RequestBody.__subclasses__(), *function_requests.FunctionRequest.__subclasses__()]


@pytest.mark.parametrize("number", [0, 1, 4, 100, 101, 1024, 8192, 100_000, 1_000_000, 5e-324])
@pytest.mark.parametrize("recipe", [SelectorConfig, ClassifierConfig, GeneratorConfig])
def test_a_hyper_parameter_that_is_accepted_is_one_that_a_recipe_takes(
    recipe: type[RunConfig], number: float
) -> None:
    for name in TrainingConfig.model_fields.keys() & recipe.model_fields.keys():
        try:
            StrictTrainingConfig(**{name: number})
        except ValidationError:
            continue
        # Else a window is prepared, and its training fails.
        recipe.model_validate(DEFAULTS | {name: number})


@pytest.mark.parametrize(
    ("model", "name"), [number for model in _request_models() for number in _numbers(model)]
)
@pytest.mark.parametrize("value", [True, "1"])
def test_no_number_of_a_request_is_made_of_true_or_of_a_text(
    model: type[BaseModel], name: str, value: object
) -> None:
    with pytest.raises(ValidationError):
        model.model_validate({name: value})


@pytest.mark.parametrize("unseen", [" ", "\u00a0", "\u200b", "\ufeff", "\u00ad\u200d"])
def test_a_label_that_nobody_sees_is_refused(unseen: str) -> None:
    with pytest.raises(ValidationError, match="visible"):
        TypeAdapter(Label).validate_python(unseen)


def test_a_trigger_that_could_never_fire_as_asked_is_refused() -> None:
    agent = {"agent_id": "a", "kind": "classifier", "base_model": "pypi:m", "labels": ["a", "b"]}

    with pytest.raises(ValidationError, match="maximum_feedback"):
        AgentRequest.model_validate(agent | {"trigger": {"minimum_feedback": 100_000}})
