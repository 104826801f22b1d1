"""Publication of what an agent runs."""

from __future__ import annotations

from datetime import datetime

from archon_contracts.events import AgentConfiguration
from services.registry.domain import ModelVersion
from services.registry.ports import ModelRepository
from services.registry.rollout.ports import ExperimentRecords
from shared.messaging.messages import Cause
from shared.messaging.outbox import Outbox
from shared.postgres.database import Tx


class ConfigurationPublisher:
    """Appends AgentConfiguration to the outbox: deployed version, experiment, allowed answers."""

    def __init__(
        self, models: ModelRepository, experiments: ExperimentRecords, outbox: Outbox
    ) -> None:
        self._models = models
        self._experiments = experiments
        self._outbox = outbox

    async def publish(
        self,
        tx: Tx,
        cause: Cause,
        model: ModelVersion,
        revision: int,
        reason: str,
        at: datetime,
        *,
        is_alone: bool = False,
    ) -> None:
        """Publish the present state; the caller holds the agent's lock and keeps the revision.

        `is_alone`: the caller has ended what ran, so no experiment is looked for.
        """
        running = None
        if not is_alone:
            running = await self._experiments.find_running(tx, model.tenant_id, model.agent_id)
        configuration = AgentConfiguration(
            tenant_id=model.tenant_id,
            agent_id=model.agent_id,
            kind=model.kind,
            model=model.ref,
            revision=revision,
            allowed_answers=await self._models.find_allowed_answers(
                tx, model.tenant_id, model.agent_id
            ),
            experiment=running.visible() if running else None,
            reason=reason,
            effective_at=at,
        )
        # One message may change the configuration twice: an experiment ends, another version comes.
        await self._outbox.append(tx, configuration, cause=cause, part=str(revision))
