"""Leases on a real database: one owner at a time, fenced by the token."""

import asyncio
import time
from uuid import uuid4

import pytest

from shared.errors import (
    ChildCrashed,
    DatabaseUnavailable,
    LeaseLost,
    LeaseNotRenewed,
    PermanentError,
)
from shared.messaging.messages import Cause
from shared.postgres.database import Tx
from shared.process.service_context import ServiceContext
from shared.work.queue import Lease
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings

LEASE_SECONDS = 1.01


class Recorder:
    """A handler that notes what the worker asks of it."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.runs = 0
        self.completed: list[str] = []
        self.given_up: list[str] = []
        self.hang = False

    async def run(self, lease: Lease) -> str:
        self.runs += 1
        if self.hang:
            await asyncio.Event().wait()
        if self.failures:
            raise self.failures.pop(0)
        return f"result of {lease.key}"

    async def complete(self, _tx: Tx, _lease: Lease, result: str) -> None:
        self.completed.append(result)

    async def give_up(self, _tx: Tx, _lease: Lease, error: Exception) -> None:
        self.given_up.append(str(error))


async def _enqueue(
    service_context: ServiceContext, key: str = "job", cause: Cause | None = None
) -> None:
    cause = cause or Cause(uuid4(), "c")
    async with service_context.database.transaction() as tx:
        await service_context.work.enqueue(tx, kind="probe", key=key, payload={"n": 1}, cause=cause)


async def _state(service_context: ServiceContext) -> str:
    async with service_context.database.connection() as connection:
        return await connection.fetchval("SELECT state FROM work")


async def _run_until(service_context: ServiceContext, handler: Recorder, state: str) -> None:
    worker = service_context.worker({"probe": handler})
    task = asyncio.create_task(worker.run())

    async def reached() -> bool:
        return await _state(service_context) == state

    try:
        await eventually(reached)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_work_is_run_and_completed_once(database_url: str) -> None:
    async with open_service_context(probe_settings(database_url)) as service_context:
        cause, handler = Cause(uuid4(), "c"), Recorder()
        await _enqueue(service_context, cause=cause)
        await _enqueue(service_context, cause=cause)
        await _run_until(service_context, handler, "done")
    assert handler.completed == ["result of job"]


async def test_a_crash_is_tried_again_and_a_permanent_error_is_not(database_url: str) -> None:
    async with open_service_context(probe_settings(database_url)) as service_context:
        handler = Recorder(ChildCrashed("died"), PermanentError("no data"))
        await _enqueue(service_context)
        await _run_until(service_context, handler, "failed")
    assert (handler.runs, handler.given_up) == (2, ["no data"])


async def test_a_stale_worker_can_write_nothing(database_url: str) -> None:
    async with open_service_context(
        probe_settings(database_url, lease_seconds=1.01)
    ) as service_context:
        await _enqueue(service_context)
        stale = await service_context.work.lease(["probe"], "first")
        assert stale is not None
        leases: list[Lease | None] = []

        async def taken_over() -> bool:
            leases.append(await service_context.work.lease(["probe"], "second"))
            return leases[-1] is not None

        await eventually(taken_over)
        with pytest.raises(LeaseLost):
            await service_context.work.renew(stale)
        with pytest.raises(LeaseLost):
            async with service_context.work.guarded(stale):
                pytest.fail("a stale worker got a transaction")
        await service_context.work.renew(leases[-1])


async def test_cancelled_work_stops_its_worker(database_url: str) -> None:
    async with open_service_context(
        probe_settings(database_url, lease_seconds=1.01)
    ) as service_context:
        handler = Recorder()
        handler.hang = True
        await _enqueue(service_context)
        worker = service_context.worker({"probe": handler})
        task = asyncio.create_task(worker.run())
        await eventually(lambda: handler.runs == 1)
        async with service_context.database.transaction() as tx:
            assert await service_context.work.cancel(tx, kind="probe", key="job") == 1
        await eventually(lambda: worker.busy == 0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert handler.completed == []


async def test_stopping_a_worker_hands_its_work_back(database_url: str) -> None:
    async with open_service_context(probe_settings(database_url)) as service_context:
        handler = Recorder()
        handler.hang = True
        await _enqueue(service_context)
        task = asyncio.create_task(service_context.worker({"probe": handler}).run())
        await eventually(lambda: handler.runs == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        again = await service_context.work.lease(["probe"], "next")
    assert again is not None
    assert again.attempt == 1


async def test_a_database_that_is_away_at_the_end_costs_no_work(database_url: str) -> None:
    async with open_service_context(probe_settings(database_url)) as service_context:
        handler = Recorder()
        complete, failures = handler.complete, [DatabaseUnavailable("away")]

        async def complete_at_last(tx: Tx, lease: Lease, result: str) -> None:
            if failures:
                raise failures.pop()
            await complete(tx, lease, result)

        handler.complete = complete_at_last
        await _enqueue(service_context)
        await _run_until(service_context, handler, "done")
    assert (handler.runs, handler.completed) == (1, ["result of job"])


async def test_a_renewal_that_fails_for_want_of_a_database_is_tried_again(
    database_url: str,
) -> None:
    async with open_service_context(
        probe_settings(database_url, lease_seconds=1.01)
    ) as service_context:
        await _enqueue(service_context)
        lease = await service_context.work.lease(["probe"], "owner")
        renew, calls = service_context.work.renew, []

        async def renew_at_last(held: Lease) -> None:
            calls.append(held)
            if len(calls) == 1:
                raise DatabaseUnavailable("away")
            await renew(held)

        service_context.work.renew = renew_at_last
        async with service_context.work.renewed(lease):
            await eventually(lambda: len(calls) == 3)


@pytest.mark.parametrize("hangs", [True, False])
async def test_work_whose_lease_ran_out_unrenewed_is_ended(database_url: str, hangs: bool) -> None:
    async with open_service_context(
        probe_settings(database_url, lease_seconds=1.01)
    ) as service_context:
        await _enqueue(service_context)
        lease = await service_context.work.lease(["probe"], "owner")

        async def renew(_lease: Lease) -> None:
            if hangs:
                await asyncio.Event().wait()
            raise DatabaseUnavailable("away")

        service_context.work.renew = renew
        async with asyncio.timeout(10):
            with pytest.raises(LeaseNotRenewed):
                async with service_context.work.renewed(lease):
                    await asyncio.Event().wait()


async def test_an_unexpected_error_of_the_renewal_ends_the_work(database_url: str) -> None:
    async with open_service_context(
        probe_settings(database_url, lease_seconds=1.01)
    ) as service_context:
        await _enqueue(service_context)
        lease = await service_context.work.lease(["probe"], "owner")

        async def renew(_lease: Lease) -> None:
            raise KeyError("a bug")

        service_context.work.renew = renew
        async with asyncio.timeout(10):
            with pytest.raises(KeyError):
                async with service_context.work.renewed(lease):
                    await asyncio.Event().wait()


async def test_a_try_that_an_absent_database_ended_does_not_count(database_url: str) -> None:
    async with open_service_context(
        probe_settings(database_url, lease_seconds=1.01)
    ) as service_context:
        handler = Recorder()
        handler.hang = True
        await _enqueue(service_context)
        renew, release, away = service_context.work.renew, service_context.work.release, [1, 1]

        async def renew_never(_lease: Lease) -> None:
            raise DatabaseUnavailable("away")

        async def release_at_last(lease: Lease) -> None:
            if away:
                away.pop()
                raise DatabaseUnavailable("away")
            handler.hang, service_context.work.renew = False, renew
            await release(lease)

        service_context.work.renew, service_context.work.release = renew_never, release_at_last
        await _run_until(service_context, handler, "done")
        async with service_context.database.connection() as connection:
            assert await connection.fetchval("SELECT attempts FROM work") == 1


class Blocking(Recorder):
    """A handler that holds the process for longer than its lease, each time."""

    async def run(self, lease: Lease) -> str:
        self.runs += 1
        time.sleep(LEASE_SECONDS * 1.1)  # noqa: ASYNC251  it blocks the loop: that is the fault
        await asyncio.sleep(10)
        return "never"


async def test_work_that_holds_up_its_process_uses_up_its_tries(database_url: str) -> None:
    async with open_service_context(
        probe_settings(database_url, lease_seconds=LEASE_SECONDS)
    ) as service_context:
        handler = Blocking()
        await _enqueue(service_context)

        await _run_until(service_context, handler, "failed")

    assert handler.runs == 3
    assert handler.given_up == ["probe job ended without an answer 3 times"]
