"""Items to train on and items to evaluate with.

A field of a text type is empty where nothing is known, so that readers need not distinguish
null from absent. Inputs and answers may be any JSON on the way in; they are kept as the text that
a model reads.
"""

from __future__ import annotations

import json
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, StringConstraints

from archon_contracts.base import ValueObject
from archon_contracts.events.feedback import ImplicitSignal
from archon_contracts.rules.json_values import check_storable
from archon_contracts.rules.moments import UtcTime
from archon_contracts.rules.normal_text import clean_text
from archon_contracts.rules.numbers import Proportion

REPLAY: Final = "replay"
"""The `source` of an item that an earlier version learned and that is trained on again."""

MAXIMUM_WEIGHT: Final = 100.0


def canonical_text(value: JsonValue) -> str:
    """A JSON value as text: strings unchanged, null and empty collections as "", the rest as JSON.

    Keys are sorted, so that equal values give equal texts.

    Raises:
        ValueError: it is not storable (`archon_contracts.rules.json_values`).
    """
    if isinstance(value, str):
        return value
    if value is None or value in ([], {}):
        return ""
    check_storable(value)
    try:
        return json.dumps(
            value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


Text = Annotated[str, BeforeValidator(canonical_text)]
RequiredText = Annotated[str, BeforeValidator(canonical_text), StringConstraints(min_length=1)]
Answer = Annotated[Text, AfterValidator(clean_text)]
"""A label or answer in the normal form in which answers are compared."""
RequiredAnswer = Annotated[Answer, StringConstraints(min_length=1)]


class Annotation(ValueObject):
    """One annotator's label for an item."""

    annotator_id: Text = Field(default="", description="Empty: not named.")
    label: RequiredAnswer
    confidence: Proportion | None = None


class TrainingItem(ValueObject):
    """One thing to learn: an input, what should have been answered, and how far to believe it."""

    id: Text = Field(
        default="", description="Unique in its file; data preparation derives an absent one."
    )
    input: RequiredText
    target: Answer = Field(default="", description="The right answer; empty: not known.")
    actual: Answer = Field(default="", description="What the agent answered.")
    rejected: tuple[Answer, ...] = Field(default=(), description="Answers known to be wrong.")
    annotations: tuple[Annotation, ...] = Field(
        default=(), description="Labels to choose the target from, where it is not known."
    )

    rating: float | None = Field(
        default=None, strict=True, ge=1, le=5, description="Of `actual`, in stars."
    )
    reward: float | None = Field(default=None, strict=True, ge=-1, le=1, description="Of `actual`.")
    signals: tuple[ImplicitSignal, ...] = Field(
        default=(), description="What the user did after `actual`, without saying anything of it."
    )
    shown: tuple[Answer, ...] = Field(
        default=(), description="Answers shown to choose from; `actual` is the one that was used."
    )
    propensity: float | None = Field(
        default=None,
        strict=True,
        gt=0,
        le=1,
        description="Probability with which `actual` was chosen.",
    )
    weight: float = Field(
        default=1.0,
        strict=True,
        gt=0,
        le=MAXIMUM_WEIGHT,
        description="Factor of its loss in training.",
    )
    trust: float = Field(
        default=1.0,
        strict=True,
        ge=0,
        description="Which of two contradicting items to believe: the higher.",
    )
    difficulty: Proportion = Field(
        default=0.5, description="Proportion of the dataset's items that are easier."
    )

    source: str = Field(default="", description="feedback, human, synthetic, ..., or replay.")
    feedback_source: str = Field(default="", description="user, expert, guardrail, environment.")
    generator: str = Field(default="", description="How a synthetic item was made.")
    unit: Text = Field(default="", description="User or session that gave the feedback.")
    submitted_by: Text = Field(
        default="", description="API key or Kafka source that the feedback came with."
    )
    feedback_ids: tuple[Text, ...] = Field(
        default=(), description="Feedback events that speak for the target; empty: none is known."
    )
    group: Text = Field(default="", description="Segment to report on.")
    skill: Text = Field(default="", description="Capability that the item exercises.")
    model_version: Text = Field(default="", description="Version that gave `actual`.")
    occurred_at: UtcTime | None = Field(
        default=None, description="By its sender's clock, at most when it was received."
    )
    received_at: UtcTime | None = Field(
        default=None, description="By our clock: of two answers the one received later is newer."
    )


class SuiteItem(ValueObject):
    """One item of an evaluation suite. Items of a dataset's test part can be read as such."""

    id: RequiredText
    input: RequiredText
    target: Answer = Field(default="", description="Empty: answered, but not scored.")
    group: Text = Field(default="", description="Segment to report on.")
    skill: Text = Field(default="", description="Capability that the item exercises.")


class QuarantinedItem(ValueObject):
    """An item that was kept out of a dataset: not trusted, or contradicted by others."""

    id: Text
    reason: str = Field(description="Rule that applied.")
    explanation: str = ""
