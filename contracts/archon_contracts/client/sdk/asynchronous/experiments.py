"""Experiments: which candidate was compared with what, and what its feedback showed."""

from __future__ import annotations

from builtins import list as List  # the method `list` hides it in the class
from uuid import UUID

from archon_contracts.client.sdk.answers.experiments import ExperimentDetailInfo, ExperimentInfo
from archon_contracts.client.sdk.asynchronous.transport import AsyncTransport
from archon_contracts.client.sdk.calls import api_path, read_call


class AsyncExperimentsApi:
    """Comparisons of two versions on production traffic."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(
        self, *, agent_id: str | None = None, state: str | None = None, limit: int | None = 100
    ) -> List[ExperimentInfo]:
        """Experiments, newest first; `state` is running, promoted, kept or cancelled."""
        return await self._transport.items(
            api_path("experiments"), ExperimentInfo, limit=limit, agent_id=agent_id, state=state
        )

    async def get(self, experiment_id: UUID | str) -> ExperimentDetailInfo:
        """An experiment with its confidence sequence and evidence over time."""
        call = read_call(api_path("experiments", experiment_id))
        return await self._transport.send(call, ExperimentDetailInfo)
