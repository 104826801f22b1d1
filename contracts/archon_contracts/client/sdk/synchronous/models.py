"""Model versions: search, compare, deploy, roll back, archive.

Written by `python -m tests.reference` from the asynchronous client; do not edit.
"""

from __future__ import annotations

from builtins import list as List  # the method `list` hides it in the class
from datetime import datetime
from typing import Any, TypeVar

from archon_contracts.client.sdk.answers.models import (
    AssignmentInfo,
    ComparisonInfo,
    DeploymentInfo,
    LineageInfo,
    ModelInfo,
)
from archon_contracts.client.sdk.answers.reports import RunReportInfo
from archon_contracts.client.sdk.calls import Json, api_path, read_call, write_call
from archon_contracts.client.sdk.synchronous.transport import Transport
from archon_contracts.values import ArtifactRef

T = TypeVar("T")


class ModelsApi:
    """The versions of agents, and which of them are deployed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, agent_id: str, *where: str, limit: int | None = 100) -> List[ModelInfo]:
        """An agent's versions, newest first, that fit conditions such as `accuracy>=0.8`."""
        path = api_path("agents", agent_id, "models")
        return self._transport.items(path, ModelInfo, limit=limit, where=where or None)

    def get(self, agent_id: str, version: str) -> ModelInfo:
        """A version with its metrics, evaluation and lineage."""
        return self._read(ModelInfo, agent_id, "models", version)

    def lineage(self, agent_id: str, version: str) -> LineageInfo:
        """What a version was made from: feedback, data, configuration, versions before."""
        return self._read(LineageInfo, agent_id, "models", version, "lineage")

    def compare(self, agent_id: str, version: str, other: str) -> ComparisonInfo:
        """Metrics and lineage of two versions, as far as they differ."""
        return self._read(ComparisonInfo, agent_id, "models", version, "compare", other)

    def report(self, agent_id: str, version: str) -> RunReportInfo:
        """What a version changed and why."""
        return self._read(RunReportInfo, agent_id, "models", version, "report")

    def deployed(self, agent_id: str, *, at: datetime | None = None) -> DeploymentInfo:
        """The version that was deployed at a time (aware), by default now."""
        call = read_call(api_path("agents", agent_id, "deployed"), {"at": at})
        return self._transport.send(call, DeploymentInfo)

    def deployments(self, agent_id: str, *, limit: int | None = 100) -> List[DeploymentInfo]:
        """Which versions were deployed, by whom and why, newest first."""
        path = api_path("agents", agent_id, "deployments")
        return self._transport.items(path, DeploymentInfo, limit=limit)

    def assignment(
        self, agent_id: str, *, unit_id: str | None = None, interaction_id: str | None = None
    ) -> AssignmentInfo:
        """The version that answers a user or session now."""
        query = {"unit_id": unit_id, "interaction_id": interaction_id}
        call = read_call(api_path("agents", agent_id, "assignment"), query)
        return self._transport.send(call, AssignmentInfo)

    def deploy(self, agent_id: str, version: str, *, reason: str) -> None:
        """Deploy a version; it is deployed when `deployed` names it."""
        self._write({"reason": reason}, agent_id, "models", version, "deploy")

    def roll_back(self, agent_id: str, *, to_version: str | None = None, reason: str) -> None:
        """Deploy an earlier version again, by default the previous one."""
        self._write({"to_version": to_version, "reason": reason}, agent_id, "rollback")

    def archive(self, agent_id: str, version: str, *, reason: str) -> None:
        """Keep a version for the record only: it is never deployed again."""
        self._write({"reason": reason}, agent_id, "models", version, "archive")

    def protect(self, agent_id: str, version: str, *, protected: bool = True, reason: str) -> None:
        """Keep retention from archiving a version, or allow it again."""
        body = {"protected": protected, "reason": reason}
        self._write(body, agent_id, "models", version, "protect")

    def retain(
        self,
        agent_id: str,
        *,
        keep_newest: int,
        deployed_within_days: int = 90,
        reason: str,
    ) -> None:
        """Archive an agent's old versions, but for those that are protected."""
        body = {
            "keep_newest": keep_newest,
            "deployed_within_days": deployed_within_days,
            "reason": reason,
        }
        self._write(body, agent_id, "retention")

    def import_model(
        self, agent_id: str, artifact: ArtifactRef, *, source: str, reason: str
    ) -> str:
        """Give a model of the artifact store a version; returns the model's id."""
        body = {"artifact": artifact, "source": source, "reason": reason}
        answer = self._write(body, agent_id, "models")
        return str(answer["model_id"])

    def _read(self, answer: type[T], *segments: str) -> T:
        return self._transport.send(read_call(api_path("agents", *segments)), answer)

    def _write(self, body: Json, *segments: str) -> dict[str, Any]:
        return self._transport.send(write_call(api_path("agents", *segments), body), dict[str, Any])
