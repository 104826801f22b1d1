"""Commands to data preparation and the synthetic generator."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Identifier, Name, ValueObject
from archon_contracts.events.curriculum import CurriculumPlan
from archon_contracts.rules.numbers import Proportion
from archon_contracts.topics import Topic
from archon_contracts.values import (
    AgentKind,
    ArtifactRef,
    DataPolicy,
    TrainingMethod,
    TrustPolicy,
)


class SourceKind(StrEnum):
    """Where items come from."""

    FEEDBACK = "feedback"
    HISTORICAL = "historical"
    SYNTHETIC = "synthetic"
    HUMAN = "human"
    EXTERNAL = "external"


class DataSource(ValueObject):
    """A folder with `items.jsonl`, one item a line."""

    kind: SourceKind
    artifact: ArtifactRef
    items: int = Field(ge=0)


class PrepareDataset(Contract):
    """Make a dataset version for a job."""

    topic: ClassVar[Topic] = topics.DATA_PREP_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    job_id: UUID
    kind: AgentKind
    sources: tuple[DataSource, ...]
    plan: CurriculumPlan
    rehearse: bool = Field(
        default=False,
        description="Replay all that is remembered, however few the new items are.",
    )
    evaluation_suite: ArtifactRef | None = Field(
        default=None, description="Items that must not be trained on."
    )
    catalogue: ArtifactRef | None = None
    labels: tuple[str, ...] = ()
    validation_proportion: Proportion = 0.15
    test_proportion: Proportion = 0.15
    trust: TrustPolicy = TrustPolicy()
    data: DataPolicy = DataPolicy()
    method: TrainingMethod | None = Field(
        default=None, description="Of the training that the dataset is for; absent: not known."
    )
    seed: int = Field(default=0, ge=0)
    fast_path: bool = Field(
        default=False, description="A few corrections: none is kept from training."
    )
    withdrawal: bool = Field(
        default=False,
        description="Nothing new is learnt: with `rehearse` all that is remembered is trained on "
        "again, otherwise the dataset only lists what was retracted.",
    )


class EraseItems(Contract):
    """Retracted items: they leave the replay memory, and no later dataset may hold them."""

    topic: ClassVar[Topic] = topics.DATA_PREP_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    item_ids: tuple[Identifier, ...] = Field(
        min_length=1, description="The `id`s of their lines in the feedback windows."
    )


class SynthesisMethod(StrEnum):
    """How a synthetic item is made."""

    TEMPLATE = "template"  # a domain's sentences with slots
    MUTATION = "mutation"  # real examples, with other details or another surface
    LLM = "llm"  # a language model writes new ones
    ADVERSARIAL = "adversarial"  # edits that keep the meaning and change the deployed answer


class EdgeCaseFamily(StrEnum):
    """What makes an input awkward."""

    EMPTY = "empty"  # no words
    VERY_LONG = "very_long"
    MIXED_LANGUAGE = "mixed_language"
    CONTRADICTORY = "contradictory"  # takes back what it asked for first
    OUT_OF_SCOPE = "out_of_scope"  # nothing that the agent is for
    NOISE = "noise"  # debris of copying
    NEAR_MISS = "near_miss"  # another answer is mentioned and not meant
    PROMPT_INJECTION = "prompt_injection"  # the text demands another answer


class GenerateSyntheticData(Contract):
    """Make synthetic items (the specification's SyntheticDataConfig)."""

    topic: ClassVar[Topic] = topics.SYNTHETIC_GENERATOR_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    request_id: UUID
    scenario_type: str = Field(min_length=1)
    count: int = Field(ge=1, le=100_000)
    difficulty: Literal["easy", "medium", "hard"] = "medium"
    edge_cases: bool = False
    diversity: Proportion = 0.5
    examples: DataSource | None = Field(default=None, description="Real items to vary.")
    seed: int = Field(default=0, ge=0)
    methods: tuple[SynthesisMethod, ...] = Field(
        default=(), description="In equal parts; empty: the examples, or else the domain, decide."
    )
    edge_case_families: tuple[EdgeCaseFamily, ...] = Field(
        default=(), description="Empty: with `edge_cases` all of them."
    )
    privacy_distance: Proportion = Field(
        default=0.0,
        description="Least cosine distance of an item to each example, which are then taken for "
        "private records; 0: the distance is reported only.",
    )
    deployed: ArtifactRef | None = Field(
        default=None, description="Deployed version: it checks labels, and is what edits attack."
    )
    held_out: ArtifactRef | None = Field(
        default=None, description="Evaluation suite; nothing near one of its items is made."
    )
    answers: tuple[str, ...] = Field(
        default=(), description="Labels of the agent; empty: they are not known."
    )


class CancelSyntheticData(Contract):
    """Stop a request for synthetic data; one that has its result stays as it is."""

    topic: ClassVar[Topic] = topics.SYNTHETIC_GENERATOR_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    request_id: UUID
    reason: str
