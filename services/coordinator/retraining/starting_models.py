"""The model that a requested job starts from."""

from __future__ import annotations

from archon_contracts.values import TrainingMethod
from services.coordinator.domain import AgentKey, ConfiguredAgent, Job, JobFacts
from services.coordinator.errors import UnknownSource
from services.coordinator.retraining.ports import RequestedJobs
from shared.postgres.database import Tx


class StartingModels:
    """The deployed version, or of a transfer the version of an agent or the base model."""

    def __init__(self, agents: RequestedJobs) -> None:
        self._agents = agents

    async def choose(self, tx: Tx, job: Job, agent: ConfiguredAgent) -> JobFacts:
        """The job's facts as it begins: with its start, and with no feedback to wait for.

        Raises:
            UnknownSource: the request names a version that cannot be its start.
        """
        known: dict[str, object] = {"awaited_feedback": (), "warm_start": agent.deployed}
        facts = job.facts
        if job.method is TrainingMethod.TRANSFER:
            # A line of its own: nothing of the deployed version is gone on from.
            known["warm_start"] = None
        elif facts.source_agent is not None or facts.source_version is not None:
            raise UnknownSource(
                f"only method transfer starts from another agent's version, and this job is "
                f"{job.method.value}: leave source_agent and source_version out"
            )
        if facts.source_agent is not None:
            known |= await self._find_source(tx, job, agent, facts.source_agent)
        return facts.model_copy(update=known)

    async def _find_source(
        self, tx: Tx, job: Job, agent: ConfiguredAgent, source_agent: str
    ) -> dict[str, object]:
        key = AgentKey(job.key.tenant_id, source_agent)
        source, version = await self._agents.find_agent(tx, key), job.facts.source_version
        if source is None:
            raise UnknownSource(f"source_agent {source_agent} is not configured; name another one")
        if source.profile.kind is not agent.profile.kind:
            raise UnknownSource(
                f"source_agent {source_agent} is a {source.profile.kind.value} and "
                f"{job.key.agent_id} is a {agent.profile.kind.value}; name one of the same kind"
            )
        if version is None and source.deployed is None:
            raise UnknownSource(
                f"source_agent {source_agent} has no deployed version; name a source_version"
            )
        found = source.deployed
        if version is not None:
            found = await self._agents.find_version(tx, key, version)
        if found is None:
            raise UnknownSource(
                f"source_agent {source_agent} has no version {version}; see its versions"
            )
        return {"source": found, "source_version": found.version}
