"""What one tenant's messages say of another tenant's job has no effect in the working services."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from archon_contracts.base import Contract
from archon_contracts.commands import EvaluateModel
from archon_contracts.events import JobCancelled
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, ArtifactRef
from services.evaluator.service import EvaluatorService
from services.evaluator.store import EvaluationStore
from services.trainer.service import TrainerService
from services.trainer.store import TrainingStore
from shared.errors import AccessRefused
from shared.process.service_context import ServiceContext
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import states_of
from tests.support.messaging.tenant_rows import rows_of, tables_of
from tests.support.training.trainer import cancel, train

ALPHA, BETA = "alpha", "beta"
DATA = ArtifactRef(uri="file:///data", digest="a" * 64)


def of(tenant_id: str, body: Contract) -> Any:
    """The message, said by a tenant."""
    return body.model_copy(update={"tenant_id": tenant_id})


@contextlib.asynccontextmanager
async def opened(url: str, service: str, folder: Path) -> AsyncIterator[ServiceContext]:
    """A service's service_context, without its handlers."""
    settings = probe_settings(url, service=service, artifacts_url=folder.as_uri())
    async with open_service_context(settings) as shared:
        yield shared


async def everything_of(shared: ServiceContext, tenant_id: str) -> dict[str, list[str]]:
    return await rows_of(shared.database, tenant_id, await tables_of(shared.database))


@pytest.fixture
async def trainer(database_url: str, tmp_path: Path) -> AsyncIterator[ServiceContext]:
    async with opened(database_url, "trainer", tmp_path) as shared:
        yield shared


@pytest.fixture
async def evaluator(database_url: str, tmp_path: Path) -> AsyncIterator[ServiceContext]:
    async with opened(database_url, "evaluator", tmp_path) as shared:
        yield shared


async def test_a_training_is_not_cancelled_by_another(trainer: ServiceContext) -> None:
    service, order = TrainerService(TrainingStore(), trainer.work), of(BETA, train(DATA))
    await trainer.inbox.run_once(message_of(order), service.accept_training)
    before = await everything_of(trainer, BETA)

    with pytest.raises(AccessRefused):
        await trainer.inbox.run_once(message_of(of(ALPHA, cancel(order))), service.cancel_training)

    assert await everything_of(trainer, BETA) == before
    assert await states_of(trainer.database) == ["queued"]


async def test_a_training_is_not_replaced_by_another(trainer: ServiceContext) -> None:
    service, order = TrainerService(TrainingStore(), trainer.work), of(BETA, train(DATA))
    await trainer.inbox.run_once(message_of(order), service.accept_training)
    newer = train(DATA, job_id=order.job_id, attempt=2)

    with pytest.raises(AccessRefused):
        await trainer.inbox.run_once(message_of(of(ALPHA, newer)), service.accept_training)

    assert await states_of(trainer.database) == ["queued"]
    lease = await trainer.work.lease(["train"], "me")
    assert lease is not None
    assert (lease.tenant_id, lease.payload["attempt"]) == (BETA, 1)


async def test_leased_work_is_done_in_its_own_tenants_scope(trainer: ServiceContext) -> None:
    service = TrainerService(TrainingStore(), trainer.work)
    for tenant_id in (ALPHA, BETA):
        order = of(tenant_id, train(DATA))
        await trainer.inbox.run_once(message_of(order), service.accept_training)

    while lease := await trainer.work.lease(["train"], "me"):
        async with trainer.work.guarded(lease) as tx:
            seen = await tx.fetch("SELECT tenant_id FROM trainings")
            await trainer.work.finish(tx, lease, state="done")
        assert [row["tenant_id"] for row in seen] == [lease.tenant_id]
    assert await states_of(trainer.database) == ["done", "done"]


def evaluation(job_id: UUID, attempt: int = 1) -> EvaluateModel:
    return EvaluateModel(
        job_id=job_id,
        agent_id="picker",
        attempt=attempt,
        kind=AgentKind.SELECTOR,
        candidate=DATA,
        items=DATA,
    )


async def test_an_evaluation_is_not_cancelled_by_another(evaluator: ServiceContext) -> None:
    service, job_id = (
        EvaluatorService(EvaluationStore(), evaluator.work, evaluator.outbox),
        new_id(),
    )
    order = message_of(of(BETA, evaluation(job_id)))
    await evaluator.inbox.run_once(order, service.accept_evaluation)
    before = await everything_of(evaluator, BETA)

    end = JobCancelled(tenant_id=ALPHA, agent_id="picker", job_id=job_id, reason="not mine")
    await evaluator.inbox.run_once(message_of(end), service.cancel_evaluation)

    assert await everything_of(evaluator, BETA) == before
    assert await states_of(evaluator.database) == ["queued"]


async def test_an_evaluation_is_not_replaced_by_another(evaluator: ServiceContext) -> None:
    service, job_id = (
        EvaluatorService(EvaluationStore(), evaluator.work, evaluator.outbox),
        new_id(),
    )
    order = message_of(of(BETA, evaluation(job_id)))
    await evaluator.inbox.run_once(order, service.accept_evaluation)

    newer = message_of(of(ALPHA, evaluation(job_id, attempt=2)))
    with pytest.raises(AccessRefused):
        await evaluator.inbox.run_once(newer, service.accept_evaluation)

    assert await states_of(evaluator.database) == ["queued"]
