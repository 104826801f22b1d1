"""Feedback on interactions in production."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from archon_contracts import topics
from archon_contracts.base import Contract, Identifier, Name, ValueObject
from archon_contracts.rules.json_values import NonNullJson, StorableJson, check_storable
from archon_contracts.rules.moments import UtcTime
from archon_contracts.rules.numbers import Seconds
from archon_contracts.topics import Topic
from archon_contracts.traffic_classes import TrafficClass


class FeedbackSource(StrEnum):
    """Who gave the feedback."""

    USER = "user"
    EXPERT = "expert"
    GUARDRAIL = "guardrail"
    ENVIRONMENT = "environment"


class SignalKind(StrEnum):
    """What a user did after an answer, without saying anything of it."""

    ASKED_AGAIN = "asked_again"  # sent the same or nearly the same request again
    UNDONE = "undone"  # took back what the answer had done
    EDITED = "edited"  # changed the answer


class ImplicitSignal(ValueObject):
    """Behaviour that speaks against an answer: weak evidence, as it may have other reasons."""

    kind: SignalKind
    after_seconds: Seconds = Field(description="Time from the answer to it [s].")


TRAFFIC_CLASS: Final = Field(
    default=None,
    description="What it was for; absent: production. Anything else never counts as feedback.",
)


PROPENSITY: Final = Field(
    default=None,
    strict=True,
    gt=0,
    le=1,
    description="Probability with which the version chose `actual`; absent: not known.",
)
FEEDBACK_PROPENSITY: Final = Field(
    default=None,
    strict=True,
    gt=0,
    le=1,
    description="Probability with which feedback on this answer was asked for or kept, such as "
    "0.05 where every twentieth answer is reviewed; absent: not known. Mean outcomes are weighed "
    "by its inverse.",
)
ShownAnswer = Annotated[str, StringConstraints(min_length=1, max_length=256)]
MAXIMUM_SHOWN: Final = 100
"""Answers shown to choose from: more are a catalogue and say little of each."""
ModelDigest = Annotated[str, StringConstraints(max_length=128)] | None


class FeedbackReceived(Contract):
    """Feedback on one interaction: a correction, a rating, a reward, or signals of behaviour."""

    topic: ClassVar[Topic] = topics.FEEDBACK
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    interaction_id: Identifier
    input: NonNullJson = Field(description="What the agent was asked.")
    actual: StorableJson = Field(default=None, description="What it answered; null: nothing.")
    expected: StorableJson = Field(default=None, description="What it should have answered.")
    rating: float | None = Field(
        default=None, strict=True, ge=1, le=5, description="Stars, 1 to 5."
    )
    reward: float | None = Field(
        default=None, strict=True, ge=-1, le=1, description="Return, -1 to 1."
    )
    signals: tuple[ImplicitSignal, ...] | None = Field(
        default=None,
        max_length=10,
        description="What the user did after the answer, without saying anything of it. What an "
        "edit made of the answer goes in `expected`.",
    )
    shown: tuple[ShownAnswer, ...] | None = Field(
        default=None,
        max_length=MAXIMUM_SHOWN,
        description="Answers shown to choose from, such as tools; `actual` is the one that was "
        "used, null: none was.",
    )
    model_version: str | None = Field(
        default=None,
        description="Version that answered, which alone is rated; absent: that of the interaction "
        "logged with the same key, if there is one.",
    )
    model_digest: ModelDigest = Field(
        default=None,
        description="Digest of its artifact; feedback with another one than the registered "
        "version's counts in no experiment.",
    )
    propensity: float | None = PROPENSITY
    feedback_propensity: float | None = FEEDBACK_PROPENSITY
    unit_id: Identifier | None = Field(default=None, description="User or session.")
    source: FeedbackSource = FeedbackSource.USER
    context: Annotated[dict[str, JsonValue], AfterValidator(check_storable)] = Field(
        default_factory=dict
    )
    occurred_at: UtcTime | None = None
    traffic_class: TrafficClass | None = TRAFFIC_CLASS

    @model_validator(mode="after")
    def _requires_a_signal(self) -> Self:
        stated = (self.expected, self.rating, self.reward)
        if all(value is None for value in stated) and not self.signals and not self.shown:
            raise ValueError("give at least one of expected, rating, reward, signals, shown")
        return self


EVERY_SUBMITTER: Final = "*"
"""Instead of a submitter's name: whoever gave it."""


class FeedbackRetracted(Contract):
    """Feedback is withdrawn; no dataset prepared from then on contains it."""

    # It concerns what its sender gave before it; with `annotator_id`, labels of the item
    # `interaction_id`.

    topic: ClassVar[Topic] = topics.FEEDBACK
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    interaction_id: Identifier
    source: FeedbackSource = FeedbackSource.USER
    annotator_id: Identifier | None = Field(
        default=None, description="Whose labels of the item to withdraw, instead of feedback."
    )
    submitted_by: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = Field(
        default=None,
        description="Submitter of what is withdrawn, * for all of them; absent: the sender itself.",
    )
    reason: str = ""
    traffic_class: TrafficClass | None = TRAFFIC_CLASS


class InteractionLogged(Contract):
    """An agent answered; there is no feedback yet."""

    topic: ClassVar[Topic] = topics.FEEDBACK
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    interaction_id: Identifier
    input: NonNullJson
    actual: StorableJson = Field(default=None, description="What it answered; null: it failed.")
    model_version: str | None = None
    model_digest: ModelDigest = Field(
        default=None,
        description="Digest of its artifact; feedback with another one than the registered "
        "version's counts in no experiment.",
    )
    propensity: float | None = PROPENSITY
    unit_id: Identifier | None = None
    latency_seconds: float | None = Field(default=None, strict=True, ge=0)
    input_tokens: int | None = Field(default=None, strict=True, ge=0)
    output_tokens: int | None = Field(default=None, strict=True, ge=0)
    error: str | None = Field(default=None, description="Why the agent failed, if it did.")
    occurred_at: UtcTime | None = None
    traffic_class: TrafficClass | None = TRAFFIC_CLASS


class AnnotationSubmitted(Contract):
    """An annotator's label for an item; several annotators may label the same one."""

    topic: ClassVar[Topic] = topics.FEEDBACK
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    item_id: Identifier
    annotator_id: Identifier
    input: NonNullJson
    label: NonNullJson
    confidence: float | None = Field(default=None, strict=True, ge=0, le=1)
    traffic_class: TrafficClass | None = TRAFFIC_CLASS
