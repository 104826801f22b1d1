"""Which recipe trains which kind of agent by which method: the one place that says so.

The trainer's service imports this to announce what it can do, so nothing here imports torch: a
recipe's own module is imported when it trains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from archon_contracts.events import Capability
from archon_contracts.values import AgentKind, TrainingMethod
from services.trainer.errors import RunInvalid
from services.trainer.recipes.run import (
    ClassifierConfig,
    EncoderConfig,
    GeneratorConfig,
    SelectorConfig,
    TrainingRun,
)

if TYPE_CHECKING:
    from services.trainer.recipes.fitting import TrainResult
    from services.trainer.recipes.progress_callback import Report


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one kind of agent is trained by one method."""

    run_model: type[TrainingRun[Any]]
    """What a run receives, with the recipe's own configuration."""
    defaults: Mapping[str, float]
    """Configuration where the command leaves it open."""
    train: Callable[[TrainingRun[Any], Report], TrainResult]


def _train_encoder(run: TrainingRun[EncoderConfig], report: Report) -> TrainResult:
    from services.trainer.recipes.candidates import train

    return train(run, report)


def _train_policy(run: TrainingRun[EncoderConfig], report: Report) -> TrainResult:
    from services.trainer.recipes.bandit.recipe import train

    return train(run, report)


def _train_margin(run: TrainingRun[EncoderConfig], report: Report) -> TrainResult:
    from services.trainer.recipes.bandit.preference import train

    return train(run, report)


def _train_generator(run: TrainingRun[GeneratorConfig], report: Report) -> TrainResult:
    from services.trainer.recipes.generators.supervised import train

    return train(run, report)


def _train_preference(run: TrainingRun[GeneratorConfig], report: Report) -> TrainResult:
    from services.trainer.recipes.generators.preference import train

    return train(run, report)


def _train_reinforcement(run: TrainingRun[GeneratorConfig], report: Report) -> TrainResult:
    from services.trainer.recipes.generators.reinforcement import train

    return train(run, report)


def _train_transfer(run: TrainingRun[Any], report: Report) -> TrainResult:
    from services.trainer.recipes.transfer.recipe import train

    return train(run, report)


POLICY_DEFAULTS: Final = {
    "epochs": 1,
    "batch_size": 4096,
    "learning_rate": 1.0,
    "max_length": 512,
}
"""A head alone is fitted, on all items at once: only `max_length` has a meaning of these."""

MINIMUM_STEPS: Final = 60
"""Of a classifier's fine-tuning, where epochs of few items are fewer steps (decision 98)."""

LAYER_DECAY: Final = 0.9
"""Of a transfer: what lies lower is more general, and is moved less."""

# The defaults were measured on the BFCL and CLINC150 sets, see tests/benchmarks. A continual run
# starts from a model that is already right in most cases, and a second epoch brought it nothing.
RECIPES: Final[Mapping[tuple[AgentKind, TrainingMethod], Recipe]] = {
    (AgentKind.SELECTOR, TrainingMethod.SUPERVISED): Recipe(
        TrainingRun[SelectorConfig],
        {"epochs": 2, "batch_size": 16, "learning_rate": 1e-4, "max_length": 512},
        _train_encoder,
    ),
    (AgentKind.SELECTOR, TrainingMethod.CONTINUAL): Recipe(
        TrainingRun[SelectorConfig],
        {"epochs": 1, "batch_size": 16, "learning_rate": 1e-4, "max_length": 512},
        _train_encoder,
    ),
    (AgentKind.CLASSIFIER, TrainingMethod.SUPERVISED): Recipe(
        TrainingRun[ClassifierConfig],
        {
            "epochs": 4,
            "batch_size": 16,
            "learning_rate": 5e-4,
            "max_length": 512,
            "minimum_steps": MINIMUM_STEPS,
        },
        _train_encoder,
    ),
    (AgentKind.CLASSIFIER, TrainingMethod.CONTINUAL): Recipe(
        TrainingRun[ClassifierConfig],
        {
            "epochs": 4,
            "batch_size": 16,
            "learning_rate": 2e-4,
            "max_length": 512,
            "minimum_steps": MINIMUM_STEPS,
        },
        _train_encoder,
    ),
    (AgentKind.SELECTOR, TrainingMethod.PREFERENCE): Recipe(
        TrainingRun[SelectorConfig], POLICY_DEFAULTS, _train_margin
    ),
    (AgentKind.CLASSIFIER, TrainingMethod.PREFERENCE): Recipe(
        TrainingRun[ClassifierConfig], POLICY_DEFAULTS, _train_margin
    ),
    (AgentKind.SELECTOR, TrainingMethod.REINFORCEMENT): Recipe(
        TrainingRun[SelectorConfig], POLICY_DEFAULTS, _train_policy
    ),
    (AgentKind.CLASSIFIER, TrainingMethod.REINFORCEMENT): Recipe(
        TrainingRun[ClassifierConfig], POLICY_DEFAULTS, _train_policy
    ),
    (AgentKind.SELECTOR, TrainingMethod.TRANSFER): Recipe(
        TrainingRun[SelectorConfig],
        {
            "epochs": 2,
            "batch_size": 16,
            "learning_rate": 1e-4,
            "max_length": 512,
            "layer_decay": LAYER_DECAY,
        },
        _train_transfer,
    ),
    (AgentKind.CLASSIFIER, TrainingMethod.TRANSFER): Recipe(
        TrainingRun[ClassifierConfig],
        {
            "epochs": 4,
            "batch_size": 16,
            "learning_rate": 5e-4,
            "max_length": 512,
            "minimum_steps": MINIMUM_STEPS,
            "layer_decay": LAYER_DECAY,
        },
        _train_transfer,
    ),
    (AgentKind.GENERATOR, TrainingMethod.TRANSFER): Recipe(
        TrainingRun[GeneratorConfig],
        {
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 5e-4,
            "max_length": 512,
            "layer_decay": LAYER_DECAY,
        },
        _train_transfer,
    ),
    (AgentKind.GENERATOR, TrainingMethod.SUPERVISED): Recipe(
        TrainingRun[GeneratorConfig],
        {"epochs": 2, "batch_size": 8, "learning_rate": 5e-4, "max_length": 512},
        _train_generator,
    ),
    (AgentKind.GENERATOR, TrainingMethod.CONTINUAL): Recipe(
        TrainingRun[GeneratorConfig],
        {"epochs": 2, "batch_size": 8, "learning_rate": 2e-4, "max_length": 512},
        _train_generator,
    ),
    (AgentKind.GENERATOR, TrainingMethod.PREFERENCE): Recipe(
        TrainingRun[GeneratorConfig],
        {"epochs": 1, "batch_size": 4, "learning_rate": 1e-4, "max_length": 512},
        _train_preference,
    ),
    (AgentKind.GENERATOR, TrainingMethod.REINFORCEMENT): Recipe(
        TrainingRun[GeneratorConfig],
        {"epochs": 1, "batch_size": 4, "learning_rate": 2e-4, "max_length": 512},
        _train_reinforcement,
    ),
}


def list_capabilities() -> tuple[Capability, ...]:
    """What this trainer announces: one entry per recipe."""
    return tuple(Capability(kind=kind, method=method) for kind, method in RECIPES)


def find_recipe(spec: Mapping[str, object]) -> Recipe:
    """The recipe for the spec's kind and method.

    Raises:
        RunInvalid: there is none.
    """
    try:
        return RECIPES[AgentKind(str(spec.get("kind"))), TrainingMethod(str(spec.get("method")))]
    except (ValueError, KeyError) as error:
        raise RunInvalid(
            f"There is no recipe for kind {spec.get('kind')!r}, method {spec.get('method')!r}"
        ) from error


def read_run(spec: Mapping[str, object]) -> TrainingRun[Any]:
    """The run that a spec describes, with the defaults of its recipe filled in.

    Raises:
        RunInvalid: the message names each field and the rule it breaks.
    """
    recipe, explicit = find_recipe(spec), spec.get("config") or {}
    if not isinstance(explicit, dict):
        raise RunInvalid("config must be an object")
    provided = {name: value for name, value in explicit.items() if value is not None}
    defaults = dict(recipe.defaults)
    if "epochs" in provided:  # who names epochs wants no more of them
        defaults.pop("minimum_steps", None)
    whole = {**spec, "named": sorted(provided), "config": {**defaults, **provided}}
    try:
        return recipe.run_model.model_validate(whole)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise RunInvalid("The run cannot be done; " + "; ".join(faults)) from error
