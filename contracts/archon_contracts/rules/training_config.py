"""Hyper-parameters of a training, as requests and profiles name them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from archon_contracts.base import Identifier, ValueObject
from archon_contracts.rules.bounds import at_most
from archon_contracts.rules.numbers import (
    Count,
    Integer,
    Number,
    PositiveCount,
    Proportion,
    Seconds,
)


class FineTuning(StrEnum):
    """When an encoder is fine-tuned beside its closed-form head."""

    AUTO = "auto"  # when the closed form is right in too few validation items
    ALWAYS = "always"
    NEVER = "never"


class PreferenceLoss(StrEnum):
    """How a generator learns from pairs of answers; from ratings it learns by KTO."""

    DPO = "dpo"  # against the model that the run starts from
    ORPO = "orpo"  # without a reference, and learns the better answer as well
    SIMPO = "simpo"  # without a reference, per token


class TransferLayers(StrEnum):
    """What a transfer trains of the model that it starts from; embeddings are never trained."""

    FULL = "full"  # every layer of an encoder
    FROZEN = "frozen"  # the layers above the lowest `frozen_layers`
    GRADUAL = "gradual"  # the same, from the highest layer down during the first half of the run
    LORA = "lora"  # low-rank updates of every layer


class TrainingConfig(ValueObject):
    """Hyper-parameters. An absent one takes the recipe's default for the kind of agent."""

    epochs: Number | None = Field(default=None, gt=0, le=100)
    batch_size: Integer | None = Field(default=None, ge=1, le=4096)
    learning_rate: Number | None = Field(default=None, gt=0, le=1)
    weight_decay: Number | None = Field(default=None, ge=0, le=1)
    warmup_ratio: Proportion | None = None
    max_length: Integer | None = Field(
        default=None,
        ge=4,
        le=8192,
        description="Most tokens per text. An encoder reads what 95 in 100 of the training texts "
        "need, up to this.",
    )
    max_steps: PositiveCount | None = None
    minimum_steps: PositiveCount | None = Field(
        default=None,
        description="Optimizer steps of a fine-tuning at least, however few the items are; absent: "
        "the recipe's, or none where `epochs` is named.",
    )
    maximum_worse_epochs: Annotated[PositiveCount, at_most(100)] | None = Field(
        default=None,
        description="Epochs in a row below the best one that end a run.",
    )
    class_balance: Proportion | None = Field(
        default=None,
        description="Exponent of a target's frequency by which each of its items weighs less in a "
        "fine-tuning: 0 all items weigh alike, 1 all targets.",
    )
    frozen_layers: Count | None = None
    transfer_layers: TransferLayers | None = Field(
        default=None,
        description="What a transfer trains; absent: frozen, of a generator lora. A generator "
        "takes all but full.",
    )
    layer_decay: Number | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Factor of the learning rate from each layer of a transfer to the one below "
        "it; 1: all layers learn alike. Absent: 0.9.",
    )
    compare_starts: bool | None = Field(
        default=None,
        description="Whether a transfer trains from its base model and from random weights too, "
        "to measure what the start is worth. Absent: it does.",
    )
    lora_rank: Integer | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Rank of a generator's adapter; one that is trained further keeps its own.",
    )
    lora_alpha: Integer | None = Field(
        default=None, ge=1, le=4096, description="Scale of the adapter; absent: twice its rank."
    )
    lora_dropout: Number | None = Field(
        default=None, ge=0, lt=1, description="Proportion of an adapter's inputs left out."
    )
    dora: bool | None = Field(
        default=None, description="Whether an adapter learns magnitudes apart from directions."
    )
    max_new_tokens: Integer | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Longest answer of a generator; absent: by the longest that it is shown.",
    )
    preference_loss: PreferenceLoss | None = Field(
        default=None, description="Of pairs of answers; absent: dpo."
    )
    preference_beta: Number | None = Field(
        default=None,
        gt=0,
        le=100,
        description="Scale of a preference loss; absent: 0.1, of simpo 2.",
    )
    checkpoint_steps: PositiveCount | None = None
    maximum_seconds: Annotated[Seconds, at_most(31_622_400)] | None = Field(
        default=None,
        gt=0,
        description="Longest time of a training's optimizer steps [s]: one that needs more fails, "
        "and says how far it came. Absent: none.",
    )
    replay_ratio: Proportion | None = Field(
        default=None, description="Replayed items per new item in a continual run."
    )
    validation_split: Proportion | None = None
    fine_tuning: FineTuning | None = Field(
        default=None,
        description="Classifiers and selectors: fine-tune the encoder beside the closed-form head. "
        "Absent: auto, when the closed form is right in under 0.8 (selectors: 0.6) of the "
        "validation items.",
    )
    search_seconds: Annotated[Seconds, at_most(3600)] | None = Field(
        default=None,
        description="Time for a search of the settings that are not named, before a fine-tuning "
        "and by its validation items [s]. Classifiers and selectors; absent or 0: none.",
    )
    search_trials: Annotated[PositiveCount, at_most(200)] | None = Field(
        default=None,
        description="Trainings of such a search, within an hour or `search_seconds`. Absent: as "
        "many as the time allows, 30 at most.",
    )
    repeat_seconds: Annotated[Seconds, at_most(3600)] | None = Field(
        default=None,
        description="Time for repeats of a fine-tuning with other seeds, from which the noise "
        "floor of the gate comes [s]. Classifiers and selectors; absent or 0: none.",
    )
    rewards: dict[Identifier, Proportion] | None = Field(
        default=None,
        max_length=20,
        description="What reinforcement learns from: rewards by name, with their weights. Absent: "
        "of generators exact and valid (0.2), of others reward, rating and correction alike.",
    )
    group_size: Annotated[PositiveCount, at_most(256)] | None = Field(
        default=None, ge=2, description="Answers of a generator sampled for each prompt of a step."
    )
    sampling_temperature: Number | None = Field(
        default=None, gt=0, le=10, description="Of answers that are sampled; absent: 1."
    )
    supervised_steps: Count | None = Field(
        default=None,
        description="Supervised steps before the reinforcement of a generator whose model earns "
        "no reward yet.",
    )
    seed: Integer | None = Field(default=None, ge=0, le=2**31 - 1, description="Absent: 0.")

    @property
    def effective_seed(self) -> int:
        """The seed that a run uses.

        The field itself has no default: on the wire a default could not be distinguished from
        a seed that the request names, and would replace the seed of the agent's profile.
        """
        return self.seed or 0
