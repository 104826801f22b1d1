"""The input of one training run: plain JSON from the service, checked by its recipe's models."""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from archon_contracts.events.curriculum import CurriculumPlan
from archon_contracts.rules.numbers import Proportion
from archon_contracts.values import (
    AgentKind,
    FineTuning,
    PreferenceLoss,
    RetentionStrategy,
    TrainingMethod,
    TransferLayers,
)
from archon_inference.devices import DEVICE_PATTERN, Precision


class RunConfig(BaseModel):
    """Hyper-parameters of every recipe; those of others are ignored, as the wire has all in one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    epochs: float = Field(gt=0, le=100, description="Passes over the training items.")
    batch_size: int = Field(ge=1, le=4096, description="Items per optimizer step.")
    learning_rate: float = Field(gt=0, le=1, description="Peak; falls linearly to zero.")
    weight_decay: float = Field(default=0.01, ge=0, le=1, description="AdamW's.")
    warmup_ratio: Proportion = Field(
        default=0.1, description="Proportion of steps with a rising rate."
    )
    max_length: int = Field(
        ge=4,
        le=8192,
        description="Most tokens per input. An encoder reads as many as 95 in 100 of the training "
        "texts need, no more than this and than the model can; the rest is cut, and counted.",
    )
    max_steps: int | None = Field(default=None, ge=1, description="Stop after so many steps.")
    minimum_steps: int = Field(
        default=1, ge=1, description="Steps that few items are repeated for, beyond `epochs`."
    )
    checkpoint_steps: int = Field(default=20, ge=1, description="Steps between two checkpoints.")
    maximum_seconds: float | None = Field(
        default=None, gt=0, description="Longest time of the optimizer steps [s]."
    )
    accumulation: int = Field(
        default=1, ge=1, description="Parts of a batch that go through the model one by one."
    )
    maximum_worse_epochs: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Epochs in a row below the best one that end a run.",
    )
    max_grad_norm: float = Field(default=1.0, gt=0, description="Longer gradients are scaled.")
    transfer_layers: TransferLayers | None = Field(
        default=None, description="What a transfer trains; absent: as without one."
    )
    layer_decay: float = Field(
        default=1.0, gt=0, le=1, description="Factor of the rate from each layer to the one below."
    )
    compare_starts: bool = Field(
        default=True, description="Whether a transfer is measured against other starts."
    )


class EncoderConfig(RunConfig):
    """What the recipes that train a text encoder add."""

    frozen_layers: int = Field(default=3, ge=0, le=100, description="Lowest layers not trained.")
    feature_distillation_weight: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="Weight of the feature-distillation loss of replayed items.",
    )
    class_balance: Proportion = Field(
        default=0.0,
        description="Exponent of a target's frequency by which its items weigh less.",
    )
    search_seconds: float = Field(
        default=0.0, ge=0, description="Time for a search before a fine-tuning [s]; 0: none."
    )
    search_trials: int = Field(
        default=0, ge=0, description="Trainings of a search before a fine-tuning; 0: by its time."
    )
    repeat_seconds: float = Field(
        default=0.0, ge=0, description="Time for repeats with other seeds [s]; 0: none."
    )
    rewards: dict[str, float] = Field(
        default_factory=dict, description="Weights of the rewards that reinforcement learns from."
    )
    fine_tuning: FineTuning = Field(
        default=FineTuning.AUTO,
        description="Whether the encoder is fine-tuned beside the closed-form head.",
    )

    @property
    def has_repeated_trainings(self) -> bool:
        """Whether a search comes before a fine-tuning, or repeats after it."""
        return bool(self.search_seconds or self.search_trials or self.repeat_seconds)


class SelectorConfig(EncoderConfig):
    """What the selector's recipe adds."""

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
    catalogue_max_length: int = Field(
        default=32, ge=4, le=8192, description="Tokens per tool text."
    )


class ClassifierConfig(EncoderConfig):
    """A classifier's: its labels count alike, as they do in its closed form."""

    class_balance: Proportion = Field(
        default=1.0, description="Exponent of a label's frequency by which its items weigh less."
    )


class GeneratorConfig(RunConfig):
    """What the generator's recipe adds."""

    lora_rank: int = Field(default=16, ge=1, le=1024, description="A generator's adapter rank.")
    lora_alpha: int | None = Field(
        default=None, ge=1, le=4096, description="Scale of the adapter; absent: twice its rank."
    )
    lora_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Proportion of an adapter's inputs left out."
    )
    dora: bool = Field(default=False, description="Learn magnitudes apart from directions (DoRA).")
    max_new_tokens: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="A generator's longest answer; absent: by the longest that it is shown.",
    )
    preference_loss: PreferenceLoss = Field(
        default=PreferenceLoss.DPO, description="Of pairs of answers."
    )
    preference_beta: float | None = Field(
        default=None, gt=0, le=100, description="Scale of the loss; absent: 0.1, of simpo 2."
    )
    rewards: dict[str, float] = Field(
        default_factory=dict, description="Weights of the rewards that reinforcement learns from."
    )
    group_size: int = Field(
        default=8, ge=2, le=256, description="Answers sampled for each prompt of a step."
    )
    sampling_temperature: float = Field(
        default=1.0, gt=0, le=10, description="Of the sampled answers."
    )
    supervised_steps: int = Field(
        default=0, ge=0, description="Supervised steps before reinforcement; 0: none."
    )


# Covariant: what works for every encoder's run takes a selector's too. Runs are frozen, so it is
# sound.
ConfigT = TypeVar("ConfigT", bound=RunConfig, covariant=True)


class TrainingRun(BaseModel, Generic[ConfigT]):
    """One attempt at a training, with the configuration of its recipe."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: str
    attempt: int = Field(ge=1)
    kind: AgentKind
    method: TrainingMethod
    base_model: str = Field(min_length=1, description="URI of the model it all starts with.")
    warm_start_model: Path | None = Field(default=None, description="Model folder to go on from.")
    source_model: Path | None = Field(
        default=None, description="Folder of the version that a transfer starts from."
    )
    dataset: Path = Field(description="Folder with train.jsonl and perhaps validation.jsonl.")
    catalogue: Path | None = Field(default=None, description="A selector's tools.")
    labels: tuple[str, ...] = Field(default=(), description="A classifier's labels, if known.")
    plan: CurriculumPlan | None = Field(default=None, description="Order of the items.")
    retention: RetentionStrategy = Field(
        default=RetentionStrategy.STANDARD, description="Against forgetting, of a warm start."
    )
    output_dir: Path = Field(description="The model folder to write.")
    checkpoint_dir: Path = Field(description="Where checkpoints are kept and looked for.")
    cache_dir: Path | None = Field(default=None, description="Keeps converted base models.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads.")
    device: str = Field(default="cpu", pattern=DEVICE_PATTERN, description="Where it computes.")
    precision: Precision = Field(
        default="float32",
        description="Of the forward pass; weights and optimizer stay in float32.",
    )
    named: tuple[str, ...] = Field(
        default=(), description="Hyper-parameters that the command names; a search leaves them."
    )
    config: ConfigT

    @property
    def closed_form_dir(self) -> Path:
        """Where the closed form is written, when a fine-tuned model is the output."""
        return self.output_dir.with_name(f"{self.output_dir.name}-closed-form")
