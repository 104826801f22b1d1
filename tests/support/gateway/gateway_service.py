"""The gateway's use cases on a store in memory, and what they are asked with."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

from archon_contracts.events import Capability, JobState
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, ArtifactRef, TrainingMethod
from services.gateway.auth.credentials import ALL_SCOPES, Caller, Scope
from services.gateway.domain import Lineage, ModelView
from services.gateway.load.tenant_limits import TenantLimits
from services.gateway.requests import AgentRequest, JobRequest
from services.gateway.service import GatewayService
from tests.support.clocks import SetClock
from tests.support.gateway.service_store import InMemoryServiceStore
from tests.support.messaging.outbox import RecordingOutbox

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEMS = ArtifactRef(uri="file:///items", digest="a" * 64)
KEY_ID = UUID(int=7)
CALLER = Caller("acme", "ci", ALL_SCOPES, KEY_ID)
ACTOR = f"ci (key {KEY_ID})"
JOB = new_id()
ANNOUNCED = [
    Capability(kind=AgentKind.SELECTOR, method=method)
    for method in (TrainingMethod.CONTINUAL, TrainingMethod.SUPERVISED)
]


async def build_store(
    job_state: JobState = JobState.TRAINING,
    models: Sequence[ModelView] = (),
    announced: Collection[Capability] = ANNOUNCED,
) -> InMemoryServiceStore:
    """Tenant acme has the selector `a`, two datasets, one job and these models."""
    store = InMemoryServiceStore()
    store.add_agent("acme", "a", AgentKind.SELECTOR)
    for name, purpose in (("learn", "training"), ("suite", "evaluation")):
        await store.add_dataset(None, "acme", name=name, purpose=purpose, items=3, artifact=ITEMS)
    store.add_job("acme", JOB, job_state, NOON)
    store.add_models("acme", models)
    store.add_worker(announced, NOON)
    return store


def model(version: str, status: str, *, was_deployed: bool) -> ModelView:
    return ModelView(
        agent_id="a",
        version=version,
        status=status,
        digest=hashlib.sha256(version.encode()).hexdigest(),
        uri=ITEMS.uri,
        metrics={},
        lineage=Lineage(),
        deployed_at=NOON if was_deployed else None,
    )


FIRST = model("1.0.0", "deployed", was_deployed=True)
NEVER_DEPLOYED = model("1.1.0", "ready", was_deployed=False)
LATER = model("1.2.0", "deployed", was_deployed=True)
BEFORE = model("1.0.0", "ready", was_deployed=True)


async def service(
    store: InMemoryServiceStore | None = None,
) -> tuple[GatewayService, RecordingOutbox]:
    outbox, store = RecordingOutbox(), store or await build_store()
    limits = TenantLimits(store, SetClock(NOON), max_jobs=0)
    return GatewayService(store, outbox, SetClock(NOON), limits), outbox


def selector(**fields: object) -> AgentRequest:
    entries = [{"name": name} for name in ("one", "two")]
    values = {"agent_id": "a", "kind": "selector", "base_model": "pypi:m", "catalogue": entries}
    return AgentRequest(**(values | fields))


WRITER = Caller("acme", "ci", frozenset({Scope.WRITE, Scope.ADMIN}), KEY_ID)
PREFERENCE = JobRequest(agent_id="a", method="preference")
