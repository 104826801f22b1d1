"""The commands that analyse what an agent's users sent and what it answered."""

from __future__ import annotations

from typing import ClassVar, Final
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.rules.moments import UtcTime
from archon_contracts.topics import Topic
from archon_contracts.values import AgentKind, ArtifactRef, TrainingMethod

MAXIMUM_LOG_RECORDS: Final = 20_000


class TokenPrices(ValueObject):
    """What an answer costs, in any one currency."""

    input_tokens_per_million: float = Field(default=0, ge=0)
    output_tokens_per_million: float = Field(default=0, ge=0)
    per_call: float = Field(default=0, ge=0)


class LogAnalysisPlan(ValueObject):
    """What the records are compared with, and what may be suggested."""

    kind: AgentKind
    encoder: str = Field(description="Base model whose frozen vectors stand for the texts.")
    method: TrainingMethod = Field(description="Of a training that is suggested.")
    reference: ArtifactRef | None = Field(
        default=None,
        description="Dataset of the deployed version; absent: drift is not tested.",
    )
    trained_version: str = Field(default="", description="The version trained on it.")
    slow_seconds: float | None = Field(
        default=None, gt=0, description="Absent: beyond the outer fence of the latencies."
    )
    prices: TokenPrices | None = Field(default=None, description="Absent: only tokens are counted.")
    requested_by: str = Field(default="", description="Name of the API key.")


class AnalyzeLogs(Contract):
    """Gather an agent's interactions and feedback of a period and analyse them."""

    topic: ClassVar[Topic] = topics.COORDINATOR_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    analysis_id: UUID
    agent_id: Name
    since: UtcTime
    until: UtcTime
    most: int = Field(
        default=5_000, ge=1, le=MAXIMUM_LOG_RECORDS, description="Newest records of each kind."
    )
    plan: LogAnalysisPlan


class AnalyzeInteractions(Contract):
    """Analyse the records of an artifact."""

    topic: ClassVar[Topic] = topics.EVALUATOR_COMMANDS
    key_field: ClassVar[str] = "analysis_id"

    analysis_id: UUID
    agent_id: Name
    records: ArtifactRef = Field(description="Folder with log.jsonl, a LogRecord a line.")
    is_cut: bool = Field(default=False, description="Older records of the period are left out.")
    plan: LogAnalysisPlan
