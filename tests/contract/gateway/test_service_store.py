"""The service's store in memory behaves as the real one, as far as the service can see."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from archon_contracts.events import Capability, JobState, JobStateChanged, WorkerReported
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, AgentProfile, ArtifactRef, TrainingMethod
from services.gateway.domain import JobSummary
from services.gateway.read_models.projection_store import ProjectionStore
from services.gateway.store import GatewayStore
from shared.postgres.database import Database, Tx
from tests.support.gateway.service_store import InMemoryServiceStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEMS = ArtifactRef(uri="file:///items", digest="a" * 64)
SUPERVISED = Capability(kind=AgentKind.SELECTOR, method=TrainingMethod.SUPERVISED)
CONTINUAL = Capability(kind=AgentKind.SELECTOR, method=TrainingMethod.CONTINUAL)
TENANT = "acme"


@dataclass(frozen=True, slots=True)
class OpenServiceStore:
    """A store, a transaction on it, and what other services' events leave in it."""

    store: InMemoryServiceStore | GatewayStore
    tx: Tx

    async def add_agent(self, agent_id: str, kind: AgentKind) -> None:
        """Project an agent's configuration."""
        if isinstance(self.store, InMemoryServiceStore):
            self.store.add_agent(TENANT, agent_id, kind)
            return
        profile = AgentProfile(agent_id=agent_id, kind=kind, base_model="pypi:m")
        await ProjectionStore().save_agent(self.tx, TENANT, profile, NOON)

    async def add_worker(self, *capabilities: Capability, at: datetime) -> None:
        """Project a worker's report."""
        if isinstance(self.store, InMemoryServiceStore):
            self.store.add_worker(capabilities, at)
            return
        report = WorkerReported(
            worker_id=str(new_id()), service="trainer", slots=1, busy=0, capabilities=capabilities
        )
        await ProjectionStore().save_worker(self.tx, report, at)

    async def add_job(self, state: JobState) -> None:
        """Project a job's state."""
        if isinstance(self.store, InMemoryServiceStore):
            self.store.add_job(TENANT, new_id(), state, NOON)
            return
        changed = JobStateChanged(
            tenant_id=TENANT,
            job_id=new_id(),
            agent_id="a",
            method=TrainingMethod.SUPERVISED,
            to_state=state,
            attempt=0,
            occurred_at=NOON,
        )
        await ProjectionStore().save_job_state(self.tx, changed, new_id())

    async def add_dataset(self, name: str, items: int = 3) -> None:
        """Register an uploaded dataset."""
        await self.store.add_dataset(
            self.tx, TENANT, name=name, purpose="training", items=items, artifact=ITEMS
        )


@pytest.fixture(params=["memory", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the real store's database is; None for the one in memory."""
    return None if request.param == "memory" else request.getfixturevalue("database_url")


@pytest.fixture
async def opened(url: str | None) -> AsyncIterator[OpenServiceStore]:
    if url is None:
        yield OpenServiceStore(InMemoryServiceStore(), object())
        return
    database = Database(url, "gateway")
    await database.open(timeout_seconds=10)
    async with database.across_tenants() as tx:
        yield OpenServiceStore(GatewayStore(), tx)
    await database.close()


async def test_an_agents_kind_is_known_to_its_own_tenant(opened: OpenServiceStore) -> None:
    await opened.add_agent("a", AgentKind.CLASSIFIER)

    kinds = [await opened.store.agent_kind(opened.tx, tenant, "a") for tenant in (TENANT, "other")]

    assert kinds == [AgentKind.CLASSIFIER, None]
    assert await opened.store.agent_kind(opened.tx, TENANT, "nobody") is None


async def test_methods_are_those_of_all_workers_seen_lately(opened: OpenServiceStore) -> None:
    await opened.add_worker(SUPERVISED, at=NOON)
    await opened.add_worker(SUPERVISED, CONTINUAL, at=NOON)
    await opened.add_worker(
        Capability(kind=AgentKind.CLASSIFIER, method=TrainingMethod.CONTINUAL),
        at=NOON - timedelta(hours=1),
    )
    await opened.add_worker(at=NOON)

    found = await opened.store.announced_methods(opened.tx, seen_after=NOON - timedelta(minutes=10))

    assert found == {AgentKind.SELECTOR: {TrainingMethod.SUPERVISED, TrainingMethod.CONTINUAL}}


async def test_a_dataset_is_found_by_name_in_its_own_tenant(opened: OpenServiceStore) -> None:
    await opened.add_dataset("learn")
    await opened.add_dataset("other")

    (found,) = await opened.store.datasets(opened.tx, TENANT, name="learn")

    assert (found.name, found.purpose, found.items, found.artifact) == (
        "learn", "training", 3, ITEMS
    )  # fmt: skip
    assert await opened.store.datasets(opened.tx, "globex", name="learn") == []


async def test_a_dataset_name_that_is_taken_keeps_its_content(opened: OpenServiceStore) -> None:
    await opened.add_dataset("learn", items=3)

    await opened.add_dataset("learn", items=4)

    assert [each.items for each in await opened.store.datasets(opened.tx, TENANT)] == [3]


async def test_a_job_that_is_requested_twice_stays_as_it_was_first(
    opened: OpenServiceStore,
) -> None:
    first = JobSummary(
        job_id=new_id(),
        agent_id="a",
        method="supervised",
        state=JobState.REQUESTED,
        attempt=0,
        reason="",
        trace_id="",
        created_at=NOON,
    )
    again = first.model_copy(update={"method": "continual"})

    for job in (first, again):
        await opened.store.add_requested_job(
            opened.tx, TENANT, job, config={"epochs": 2}, requested_by="ci"
        )

    found = await opened.store.find_job(opened.tx, TENANT, first.job_id, now=NOON)
    assert found is not None
    assert (found.method, found.state, found.config) == (
        "supervised", JobState.REQUESTED, {"epochs": 2}
    )  # fmt: skip
    assert await opened.store.find_job(opened.tx, "globex", first.job_id, now=NOON) is None


@pytest.mark.parametrize("state", list(JobState))
async def test_jobs_that_have_not_ended_are_counted_by_tenant(
    opened: OpenServiceStore, state: JobState
) -> None:
    await opened.add_job(state)

    counts = [await opened.store.count_open_jobs(opened.tx, tenant) for tenant in (TENANT, "x")]

    assert counts == [int(not state.is_final), 0]


async def test_requests_without_a_result_are_counted_since_a_moment(
    opened: OpenServiceStore,
) -> None:
    ids = [new_id() for _ in range(3)]
    for number, request_id in enumerate(ids):
        at = NOON + timedelta(minutes=number)
        request = {"tenant_id": TENANT, "agent_id": "a"}
        await opened.store.add_synthetic_request(opened.tx, TENANT, request_id, request, at)

    count = await opened.store.count_open_synthetic(opened.tx, TENANT, ids[2], NOON)

    assert count == 1
    assert await opened.store.count_open_synthetic(opened.tx, "x", ids[2], NOON) == 0


async def test_a_request_for_synthetic_data_is_found_by_its_tenant(
    opened: OpenServiceStore,
) -> None:
    request_id = new_id()
    request = {"tenant_id": TENANT, "agent_id": "a"}
    await opened.store.add_synthetic_request(opened.tx, TENANT, request_id, request, NOON)

    found = await opened.store.find_synthetic_request(opened.tx, TENANT, request_id)

    assert found is not None
    assert (found.agent_id, found.state, found.finished_at) == ("a", "requested", None)
    assert await opened.store.find_synthetic_request(opened.tx, "x", request_id) is None


async def test_the_profile_of_an_agent_is_found(opened: OpenServiceStore) -> None:
    await opened.add_agent("a", AgentKind.CLASSIFIER)

    found = await opened.store.agent_profile(opened.tx, TENANT, "a")

    assert found is not None
    assert found.kind is AgentKind.CLASSIFIER
    assert await opened.store.agent_profile(opened.tx, TENANT, "b") is None
