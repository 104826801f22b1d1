from typing import Any

import pytest

from services.trainer.recipes.errors import RunInvalid
from services.trainer.recipes.run import read_run

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
