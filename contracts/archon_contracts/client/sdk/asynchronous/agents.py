"""Agents and datasets."""

from __future__ import annotations

from builtins import list as List  # the method `list` hides it in the class
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from archon_contracts.client.sdk.answers.agents import (
    AgentInfo,
    CurriculumInfo,
    FeedbackHistoryInfo,
)
from archon_contracts.client.sdk.answers.datasets import (
    DatasetChangesInfo,
    DatasetInfo,
    DatasetQualityInfo,
)
from archon_contracts.client.sdk.asynchronous.transport import AsyncTransport
from archon_contracts.client.sdk.calls import api_path, read_call, write_call
from archon_contracts.rules.rollout_policy import RolloutPolicy
from archon_contracts.values import (
    AgentKind,
    CurriculumPolicy,
    DataPolicy,
    FastPathPolicy,
    GatePolicy,
    LearningPolicy,
    TrainingConfig,
    TriggerPolicy,
    TrustPolicy,
)


class AsyncAgentsApi:
    """Configure agents, and see them."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    # More than six parameters: they are what a configuration holds, each with a name.
    async def configure(
        self,
        agent_id: str,
        *,
        kind: AgentKind | str,
        base_model: str,
        labels: Sequence[str] | None = None,
        catalogue: Sequence[Mapping[str, str]] | None = None,
        evaluation_dataset: str | None = None,
        trigger: TriggerPolicy | Mapping[str, Any] | None = None,
        gate: GatePolicy | Mapping[str, Any] | None = None,
        trust: TrustPolicy | Mapping[str, Any] | None = None,
        data: DataPolicy | Mapping[str, Any] | None = None,
        curriculum: CurriculumPolicy | Mapping[str, Any] | None = None,
        fast_path: FastPathPolicy | Mapping[str, Any] | None = None,
        training: TrainingConfig | Mapping[str, Any] | None = None,
        learning: LearningPolicy | Mapping[str, Any] | None = None,
        rollout: RolloutPolicy | Mapping[str, Any] | None = None,
        priority: int | None = None,
        reason: str | None = None,
    ) -> AgentInfo:
        """Add an agent or change one: its whole configuration, absent fields have their defaults.

        `configured_at` of the answer is None while the coordinator has not confirmed it.

        Raises:
            GatewayRefusedError: a field is invalid, or the change is a conflict (409).
        """
        body = {name: value for name, value in locals().items() if name != "self"}
        return await self._transport.send(write_call(api_path("agents"), body), AgentInfo)

    async def get(self, agent_id: str) -> AgentInfo:
        """An agent with its deployed version, open job and feedback totals."""
        return await self._transport.send(read_call(api_path("agents", agent_id)), AgentInfo)

    async def curriculum(self, agent_id: str) -> CurriculumInfo:
        """Its level and skills with the evidence on them, and what is planned next."""
        call = read_call(api_path("agents", agent_id, "curriculum"))
        return await self._transport.send(call, CurriculumInfo)

    async def feedback_history(self, agent_id: str, *, days: int = 90) -> FeedbackHistoryInfo:
        """Its rated answers by hour and its deployments.

        `archon_contracts.triggers.backtest` replays trigger policies on them.
        """
        call = read_call(api_path("agents", agent_id, "feedback-history"), {"days": days})
        return await self._transport.send(call, FeedbackHistoryInfo)

    async def list(self, *, limit: int | None = 100) -> List[AgentInfo]:
        """The tenant's agents; `limit=None`: all of them."""
        return await self._transport.items(api_path("agents"), AgentInfo, limit=limit)


class AsyncDatasetsApi:
    """Upload datasets, and see them."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def upload(
        self,
        name: str,
        items: Iterable[Mapping[str, Any]],
        *,
        purpose: Literal["training", "evaluation"] = "training",
    ) -> DatasetInfo:
        """Store a dataset of items with an `input` and a `target`.

        The same name with the same items is no error; with others it is a conflict (409).
        """
        body = {"name": name, "purpose": purpose, "items": List(items)}
        return await self._transport.send(write_call(api_path("datasets"), body), DatasetInfo)

    async def get(self, name: str) -> DatasetInfo:
        """An uploaded dataset."""
        return await self._transport.send(read_call(api_path("datasets", name)), DatasetInfo)

    async def list(self, *, limit: int | None = 100) -> List[DatasetInfo]:
        """Uploaded datasets; `limit=None`: all of them."""
        return await self._transport.items(api_path("datasets"), DatasetInfo, limit=limit)

    async def quality(self, agent_id: str, dataset_version: int) -> DatasetQualityInfo:
        """The quality report of a dataset version that was prepared for an agent.

        Raises:
            GatewayRefusedError: there is no such version, or it has no report (404).
        """
        call = read_call(api_path("agents", agent_id, "datasets", dataset_version, "quality"))
        return await self._transport.send(call, DatasetQualityInfo)

    async def changes(
        self, agent_id: str, dataset_version: int, *, since: int
    ) -> DatasetChangesInfo:
        """What a dataset version holds that an earlier one did not, and the other way round."""
        path = api_path("agents", agent_id, "datasets", dataset_version, "changes")
        return await self._transport.send(read_call(path, {"since": since}), DatasetChangesInfo)
