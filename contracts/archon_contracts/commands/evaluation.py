"""Commands to the evaluator."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name
from archon_contracts.topics import Topic
from archon_contracts.values import AgentKind, ArtifactRef, FastPathPolicy, GatePolicy, ModelRef


class EvaluateModel(Contract):
    """Compare a candidate with the deployed version on the same items."""

    topic: ClassVar[Topic] = topics.EVALUATOR_COMMANDS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    attempt: int = Field(
        ge=1, description="Which evaluation command of the job this is; a newer one replaces it."
    )
    kind: AgentKind
    candidate: ArtifactRef
    deployed: ModelRef | None = None
    base_model: str | None = Field(
        default=None, description="Also scored as the baseline when nothing is deployed."
    )
    catalogue: ArtifactRef | None = None
    items: ArtifactRef = Field(description="Folder with items.jsonl or test.jsonl.")
    gate: GatePolicy = GatePolicy()
    update: ArtifactRef | None = Field(
        default=None,
        description="Dataset of a fast-path update: the candidate must answer its training items, "
        "and lose nothing that `fast_path` does not allow.",
    )
    fast_path: FastPathPolicy = FastPathPolicy()
    minimum_reference_items: int = Field(
        default=0,
        ge=0,
        description="Protected reference items without which a passing version waits for a "
        "review; 0: the items are a suite or were provided by a person.",
    )
