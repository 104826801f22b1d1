"""Request bodies. Unknown fields are refused, so that a typo is not a silent default."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
    model_validator,
)

from archon_contracts.base import Identifier, Name
from archon_contracts.commands import ConfigureAgent, EdgeCaseFamily, SynthesisMethod
from archon_contracts.rules.bounds import MAX_PROFILE_BYTES
from archon_contracts.rules.gate_requirements import GateRequirement
from archon_contracts.rules.normal_text import clean_text, is_blank
from archon_contracts.rules.numbers import Integer, Proportion
from archon_contracts.rules.rollout_policy import RolloutPolicy
from archon_contracts.values import (
    AgentKind,
    ArtifactRef,
    CronSchedule,
    CurriculumPolicy,
    DataPolicy,
    FastPathPolicy,
    GatePolicy,
    LearningPolicy,
    SkillDefinition,
    TrainingConfig,
    TrainingMethod,
    TriggerPolicy,
    TrustPolicy,
)
from services.gateway.auth.credentials import Scope
from services.gateway.errors import FieldError, Invalid
from shared.cron import CronInvalid, check_cron

ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
"""No control characters, line separators or bidirectional marks: it is shown to other users."""

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=ONE_LINE)]
"""A reason for the audit log."""


def _normal_label(text: str) -> str:
    if is_blank(text):
        raise ValueError("only spaces; give it a visible character")
    return clean_text(text)


Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, pattern=ONE_LINE),
    AfterValidator(_normal_label),
]
"""One line in the normal form of answers, so that feedback in any form of it matches."""


MAX_ANSWERS: Final = 20_000
"""Labels or catalogue entries: each is a row of a model's head, and of every profile's copy."""


class RequestBody(BaseModel):
    """A request body."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True
    )


class StrictCronSchedule(CronSchedule):
    """A schedule without unknown fields, and with a next time."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _has_a_next_time(self) -> Self:
        try:
            check_cron(self.cron, self.time_zone)
        except CronInvalid as error:
            raise ValueError(str(error)) from error
        return self


class StrictTriggerPolicy(TriggerPolicy):
    """A trigger policy without unknown fields, and that can fire as it says."""

    model_config = ConfigDict(extra="forbid")

    schedule: StrictCronSchedule | None = Field(default=None, description="Fire at these times.")

    @model_validator(mode="after")
    def _minimum_fits_a_window(self) -> Self:
        if self.minimum_feedback > self.maximum_feedback:
            raise ValueError(
                f"minimum_feedback is {self.minimum_feedback}, above maximum_feedback "
                f"({self.maximum_feedback}), which a window never exceeds; raise maximum_feedback"
            )
        return self


class StrictGateRequirement(GateRequirement):
    """A requirement on a metric without unknown fields."""

    model_config = ConfigDict(extra="forbid")


class StrictGatePolicy(GatePolicy):
    """A gate policy without unknown fields."""

    model_config = ConfigDict(extra="forbid")

    requirements: tuple[StrictGateRequirement, ...] = Field(
        default=(), max_length=20, description="Metrics that must improve, or may not fall."
    )


class StrictTrustPolicy(TrustPolicy):
    """A trust policy without unknown fields."""

    model_config = ConfigDict(extra="forbid")


class StrictDataPolicy(DataPolicy):
    """A data policy without unknown fields."""

    model_config = ConfigDict(extra="forbid")


class StrictSkillDefinition(SkillDefinition):
    """A skill without unknown fields."""

    model_config = ConfigDict(extra="forbid")


class StrictCurriculumPolicy(CurriculumPolicy):
    """A curriculum policy without unknown fields."""

    model_config = ConfigDict(extra="forbid")

    skills: tuple[StrictSkillDefinition, ...] = Field(
        default=(), max_length=100, description="Skills of this agent, each with its task type."
    )

    @field_validator("skills")
    @classmethod
    def _each_once(
        cls, skills: tuple[StrictSkillDefinition, ...]
    ) -> tuple[StrictSkillDefinition, ...]:
        names = [each.name for each in skills]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"skill {twice[0]!r} stands twice; name each skill once")
        return skills


class StrictFastPathPolicy(FastPathPolicy):
    """A fast-path policy without unknown fields."""

    model_config = ConfigDict(extra="forbid")


class StrictLearningPolicy(LearningPolicy):
    """A learning policy without unknown fields."""

    model_config = ConfigDict(extra="forbid")


class StrictRolloutPolicy(RolloutPolicy):
    """A rollout policy without unknown fields."""

    model_config = ConfigDict(extra="forbid")


class StrictTrainingConfig(TrainingConfig):
    """Hyper-parameters without unknown fields, and none that would occupy a slot for days."""

    model_config = ConfigDict(extra="forbid")

    # Not in the contract: narrowing a range there would be a new version of the message.
    max_steps: Integer | None = Field(default=None, ge=1, le=100_000)
    frozen_layers: Integer | None = Field(default=None, ge=0, le=100)


class CatalogueEntry(RequestBody):
    """An entry that a selector can choose."""

    name: Label
    description: str = Field(default="", max_length=20_000, pattern=r"^[^\x00]*$")


class AgentRequest(RequestBody):
    """The whole configuration of an agent; absent fields have their defaults, also in an update."""

    agent_id: Name
    kind: AgentKind
    base_model: Label
    catalogue: list[CatalogueEntry] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=MAX_ANSWERS,
        description="A selector's entries; their names are unique.",
    )
    labels: list[Label] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=MAX_ANSWERS,
        description="A classifier's labels.",
    )
    evaluation_dataset: Name | None = Field(
        default=None, description="Name of an uploaded evaluation dataset."
    )
    trigger: StrictTriggerPolicy = StrictTriggerPolicy()
    gate: StrictGatePolicy = StrictGatePolicy()
    trust: StrictTrustPolicy = StrictTrustPolicy()
    data: StrictDataPolicy = StrictDataPolicy()
    curriculum: StrictCurriculumPolicy = StrictCurriculumPolicy()
    fast_path: StrictFastPathPolicy = StrictFastPathPolicy()
    training: StrictTrainingConfig = StrictTrainingConfig()
    learning: StrictLearningPolicy = StrictLearningPolicy()
    rollout: StrictRolloutPolicy = StrictRolloutPolicy()
    priority: Integer = Field(default=0, ge=-100, le=100)
    reason: Sentence | None = Field(default=None, description="Why, for the audit log.")


class DatasetRequest(RequestBody):
    """A dataset to upload; items are objects with an input and a target."""

    name: Name
    purpose: Literal["training", "evaluation"]
    items: list[dict[str, JsonValue]] = Field(fail_fast=True)


class JobRequest(RequestBody):
    """A training. Without a dataset it learns from all unused feedback."""

    agent_id: Name
    method: TrainingMethod
    dataset: Name | None = None
    source_agent: Name | None = Field(
        default=None,
        description="Of method transfer: the agent whose version is the start, of the same kind "
        "and base model; absent: the base model is.",
    )
    source_version: Identifier | None = Field(
        default=None, description="Its version; absent: the deployed one."
    )
    config: StrictTrainingConfig = StrictTrainingConfig()


class CancelRequest(RequestBody):
    """Reason for cancelling a job, a benchmark or a request for synthetic data."""

    reason: Sentence = "cancelled by request"


class ReturnRequest(RequestBody):
    """Reason for giving the feedback of a job back."""

    reason: Sentence = "returned by request"


class DeployRequest(RequestBody):
    """Reason for a deployment."""

    reason: Sentence


class RollBackRequest(RequestBody):
    """The version to deploy again; absent: the previous one."""

    to_version: Identifier | None = None
    reason: Sentence


class ArchiveRequest(RequestBody):
    """Reason for archiving a version."""

    reason: Sentence


class ImportRequest(RequestBody):
    """A model that is in the artifact store and was trained elsewhere, or exported before."""

    artifact: ArtifactRef
    source: Sentence = Field(description="Where it comes from, such as tool-picker 1.2.0.")
    reason: Sentence


class ProtectRequest(RequestBody):
    """Whether retention may archive a version, and why."""

    protected: bool = Field(default=True, description="False: it is protected no more.")
    reason: Sentence


class RetentionRequest(RequestBody):
    """Which versions stay; all others are archived, but for those that are protected."""

    keep_newest: Integer = Field(ge=1, le=1_000_000, description="Newest versions that stay.")
    deployed_within_days: Integer = Field(
        default=90,
        ge=0,
        le=36_500,
        description="Versions that were deployed in so many days stay [d].",
    )
    reason: Sentence


class SyntheticDataRequest(RequestBody):
    """Synthetic items to generate."""

    agent_id: Name
    scenario_type: Label
    count: Integer = Field(ge=1, le=100_000)
    difficulty: Literal["easy", "medium", "hard"] = "medium"
    edge_cases: bool = False
    diversity: Proportion = 0.5
    examples: Name | None = Field(default=None, description="Name of a dataset to vary.")
    seed: Integer = Field(default=0, ge=0, le=2**31 - 1)
    methods: tuple[SynthesisMethod, ...] = ()
    edge_case_families: tuple[EdgeCaseFamily, ...] = ()
    privacy_distance: Proportion = 0.0


class KeyRequest(RequestBody):
    """An API key to create."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=ONE_LINE)]
    scopes: frozenset[Scope] = Field(
        fail_fast=True,
        min_length=1,
        description="Permissions, a subset of those of the calling key.",
    )
    agents: frozenset[Name] | None = Field(
        fail_fast=True,
        default=None,
        min_length=1,
        max_length=1000,
        description="The only agents that it may name; absent: all of the tenant. A bound key "
        "makes keys of a subset of its agents.",
    )
    expires_at: AwareDatetime | None = Field(
        default=None, description="When it expires; absent: never."
    )
    tenant_id: Name | None = Field(
        default=None, description="Another tenant, new or not; only for the operator's keys."
    )


def check_size(command: ConfigureAgent) -> None:
    """Refuse a profile that could not be sent on: it would be accepted, and a dead letter.

    Raises:
        Invalid: with its size; the labels are what makes one large.
    """
    size = len(command.to_bytes())
    if size > MAX_PROFILE_BYTES:
        message = (
            f"the profile has {size} bytes, {MAX_PROFILE_BYTES} are allowed; send fewer or "
            f"shorter labels ({len(command.profile.labels)} were sent)"
        )
        raise Invalid([FieldError("labels", "too_long", message)])
