from typing import Any

import pytest

from services.trainer.errors import RunInvalid
from services.trainer.recipes.recipe_table import RECIPES, list_capabilities, read_run
from services.trainer.recipes.run import GeneratorConfig, SelectorConfig

SPEC: dict[str, Any] = {
    "job_id": "j",
    "attempt": 1,
    "kind": "selector",
    "method": "supervised",
    "base_model": "pypi:x",
    "dataset": "/d",
    "output_dir": "/o",
    "checkpoint_dir": "/c",
    "plan": None,
    "config": {},
}


def test_what_is_left_out_takes_the_default_of_kind_and_method() -> None:
    fresh = read_run(SPEC)
    further = read_run(SPEC | {"method": "continual"})

    assert further.config.epochs < fresh.config.epochs


def test_explicit_values_override_defaults_and_null_does_not() -> None:
    run = read_run(SPEC | {"config": {"learning_rate": 0.5, "epochs": None}})

    assert run.config.learning_rate == 0.5
    assert run.config.epochs == read_run(SPEC).config.epochs


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"config": {"epochs": 0}}, "config.epochs"),
        ({"config": {"batch_size": "many"}}, "config.batch_size"),
        ({"config": [1]}, "config must be an object"),
        ({"attempt": 0}, "attempt"),
        ({"kind": "painter"}, "no recipe for kind 'painter'"),
        ({"method": "magic"}, "method 'magic'"),
        ({"base_model": ""}, "base_model"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_run_that_cannot_be_done_says_why(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(RunInvalid, match=fault):
        read_run(SPEC | change)


@pytest.mark.parametrize(("kind", "method"), RECIPES)
def test_every_announced_recipe_reads_a_run_with_its_defaults_alone(kind: str, method: str) -> None:
    run = read_run(SPEC | {"kind": kind, "method": method})

    assert (run.kind, run.method) == (kind, method)


def test_what_is_announced_is_what_there_are_recipes_for() -> None:
    assert {(each.kind, each.method) for each in list_capabilities()} == set(RECIPES)


def test_a_run_has_the_configuration_of_its_recipe_only() -> None:
    config = {"lora_rank": 4, "temperature": 0.1}

    selector = read_run(SPEC | {"config": config}).config
    generator = read_run(SPEC | {"kind": "generator", "config": config}).config

    assert isinstance(selector, SelectorConfig)
    assert isinstance(generator, GeneratorConfig)
    assert not hasattr(selector, "lora_rank")
    assert not hasattr(generator, "temperature")
