"""Events of other services, as the gateway receives them, and whether it shows them."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from archon_contracts.events import (
    JobState,
    JobStateChanged,
    ModelDeployed,
    ModelRegistered,
)
from archon_contracts.identifiers import new_id
from archon_contracts.values import ArtifactRef, Estimate, ModelRef, TrainingMethod
from tests.support.gateway.gateway import ServedGateway

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEIGHTS = ArtifactRef(uri="file:///weights", digest="a" * 64)
SHARE = Estimate(value=0.75, low=0.7, high=0.8, n=200)


def changed(job: UUID, agent: str, state: JobState, seconds: float) -> JobStateChanged:
    return JobStateChanged(
        job_id=job,
        agent_id=agent,
        method=TrainingMethod.CONTINUAL,
        to_state=state,
        attempt=1,
        reason=f"now {state}",
        occurred_at=NOON + timedelta(seconds=seconds),
        trace_id="c" * 32,
    )


def registered(agent: str, job: UUID, version: str) -> ModelRegistered:
    return ModelRegistered(
        agent_id=agent,
        job_id=job,
        model_id=new_id(),
        model=ModelRef(version=version, artifact=WEIGHTS),
        dataset_id=new_id(),
        metrics={"accuracy": SHARE},
    )


def deployed(agent: str, version: str) -> ModelDeployed:
    # Of its own weights: a version with those of the deployed one is not deployed.
    weights = ArtifactRef(uri="file:///weights", digest=sha256(version.encode()).hexdigest())
    model = ModelRef(version=version, artifact=weights)
    return ModelDeployed(
        agent_id=agent,
        model=model,
        revision=1 + int(version.split(".")[1]),
        actor="somebody",
        reason="better",
        deployed_at=NOON,
    )


async def is_answered(gateway: ServedGateway, path: str) -> bool:
    return (await gateway.http.get(path)).status_code == 200
