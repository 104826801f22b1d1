"""What one training run is told: plain JSON from the service, checked here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archon_contracts.events.curriculum import CurriculumPlan
from archon_contracts.values import AgentKind, Proportion
from services.trainer.recipes.errors import RunInvalid

Method = Literal["supervised", "continual"]


class RunConfig(BaseModel):
    """Hyper-parameters; what the caller leaves out is the measured default for kind and method."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    epochs: float = Field(gt=0, le=100, description="Passes over the training items.")
    batch_size: int = Field(ge=1, le=4096, description="Items per optimizer step.")
    learning_rate: float = Field(gt=0, le=1, description="Peak; falls linearly to zero.")
    weight_decay: float = Field(default=0.01, ge=0, le=1, description="AdamW's.")
    warmup_ratio: Proportion = Field(
        default=0.1, description="Proportion of steps with a rising rate."
    )
    max_length: int = Field(ge=4, le=8192, description="Tokens per input; the rest is cut.")
    max_steps: int | None = Field(default=None, ge=1, description="Stop after so many steps.")
    frozen_layers: int = Field(default=3, ge=0, le=100, description="Lowest layers not trained.")
    temperature: float = Field(
        default=0.05, gt=0, le=10, description="Divides a selector's cosines before the softmax."
    )
    rejected_margin: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="How much further from the request, in cosine, a rejected tool must end up. "
        "Zero: it is a negative like any other, which was measured to be as good.",
    )
    feature_distillation_weight: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="Weight of the feature-distillation loss of replayed items.",
    )
    catalogue_max_length: int = Field(
        default=32, ge=4, le=8192, description="Tokens per tool text."
    )
    lora_rank: int = Field(default=8, ge=1, le=1024, description="A generator's adapter rank.")
    max_new_tokens: int = Field(default=64, ge=1, le=4096, description="A generator's longest.")
    checkpoint_steps: int = Field(default=20, ge=1, description="Steps between two checkpoints.")
    max_grad_norm: float = Field(default=1.0, gt=0, description="Longer gradients are scaled.")


# Measured on the BFCL and CLINC150 sets, see tests/benchmarks. A continual run starts from a model
# that is already right in most cases, and a second epoch brought it nothing.
_DEFAULTS: dict[tuple[AgentKind, str], dict[str, float]] = {
    (AgentKind.SELECTOR, "supervised"): {
        "epochs": 2, "batch_size": 16, "learning_rate": 1e-4, "max_length": 32,
    },
    (AgentKind.SELECTOR, "continual"): {
        "epochs": 1, "batch_size": 16, "learning_rate": 1e-4, "max_length": 32,
    },
    (AgentKind.CLASSIFIER, "supervised"): {
        "epochs": 4, "batch_size": 16, "learning_rate": 5e-4, "max_length": 32,
    },
    (AgentKind.CLASSIFIER, "continual"): {
        "epochs": 4, "batch_size": 16, "learning_rate": 2e-4, "max_length": 32,
    },
    (AgentKind.GENERATOR, "supervised"): {
        "epochs": 1, "batch_size": 4, "learning_rate": 2e-4, "max_length": 512,
    },
    (AgentKind.GENERATOR, "continual"): {
        "epochs": 1, "batch_size": 4, "learning_rate": 1e-4, "max_length": 512,
    },
}  # fmt: skip


class TrainingRun(BaseModel):
    """One attempt at a training."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: str
    attempt: int = Field(ge=1)
    kind: AgentKind
    method: Method
    base_model: str = Field(min_length=1, description="URI of the model it all starts with.")
    warm_start_model: Path | None = Field(default=None, description="Model folder to go on from.")
    dataset: Path = Field(description="Folder with train.jsonl and perhaps validation.jsonl.")
    catalogue: Path | None = Field(default=None, description="A selector's tools.")
    labels: tuple[str, ...] = Field(default=(), description="A classifier's labels, if known.")
    plan: CurriculumPlan | None = Field(default=None, description="Order of the items.")
    output_dir: Path = Field(description="The model folder to write.")
    checkpoint_dir: Path = Field(description="Where checkpoints are kept and looked for.")
    cache_dir: Path | None = Field(default=None, description="Keeps converted base models.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads.")
    config: RunConfig


def read_run(spec: dict[str, object]) -> TrainingRun:
    """The run that a spec describes, with the defaults of its kind and method filled in.

    Raises:
        RunInvalid: the message names each field and the rule it breaks.
    """
    explicit = spec.get("config") or {}
    try:
        kind = AgentKind(str(spec.get("kind")))
        defaults = _DEFAULTS[kind, str(spec.get("method"))]
    except (ValueError, KeyError) as error:
        raise RunInvalid(
            f"There is no recipe for kind {spec.get('kind')!r}, method {spec.get('method')!r}"
        ) from error
    if not isinstance(explicit, dict):
        raise RunInvalid("config must be an object")
    provided = {name: value for name, value in explicit.items() if value is not None}
    try:
        return TrainingRun.model_validate({**spec, "config": {**defaults, **provided}})
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise RunInvalid("The run cannot be done; " + "; ".join(faults)) from error
