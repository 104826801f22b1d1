"""Leases on a real database: one owner at a time, fenced by the token."""

import asyncio
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
from shared.process.service_context import Foundation
from shared.work.queue import Lease
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import open_foundation, probe_settings


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


async def _enqueue(foundation: Foundation, key: str = "job", cause: Cause | None = None) -> None:
    cause = cause or Cause(uuid4(), "c")
    async with foundation.database.transaction() as tx:
        await foundation.work.enqueue(tx, kind="probe", key=key, payload={"n": 1}, cause=cause)


async def _state(foundation: Foundation) -> str:
    async with foundation.database.connection() as connection:
        return await connection.fetchval("SELECT state FROM work")


async def _run_until(foundation: Foundation, handler: Recorder, state: str) -> None:
    worker = foundation.worker({"probe": handler})
    task = asyncio.create_task(worker.run())

    async def reached() -> bool:
        return await _state(foundation) == state

    try:
        await eventually(reached)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_work_is_run_and_completed_once(database_url: str) -> None:
    async with open_foundation(probe_settings(database_url)) as foundation:
        cause, handler = Cause(uuid4(), "c"), Recorder()
        await _enqueue(foundation, cause=cause)
        await _enqueue(foundation, cause=cause)
        await _run_until(foundation, handler, "done")
    assert handler.completed == ["result of job"]


async def test_a_crash_is_tried_again_and_a_permanent_error_is_not(database_url: str) -> None:
    async with open_foundation(probe_settings(database_url)) as foundation:
        handler = Recorder(ChildCrashed("died"), PermanentError("no data"))
        await _enqueue(foundation)
        await _run_until(foundation, handler, "failed")
    assert (handler.runs, handler.given_up) == (2, ["no data"])


async def test_a_stale_worker_can_write_nothing(database_url: str) -> None:
    async with open_foundation(probe_settings(database_url, lease_seconds=1.01)) as foundation:
        await _enqueue(foundation)
        stale = await foundation.work.lease(["probe"], "first")
        assert stale is not None
        leases: list[Lease | None] = []

        async def taken_over() -> bool:
            leases.append(await foundation.work.lease(["probe"], "second"))
            return leases[-1] is not None

        await eventually(taken_over)
        with pytest.raises(LeaseLost):
            await foundation.work.renew(stale)
        with pytest.raises(LeaseLost):
            async with foundation.work.guarded(stale):
                pytest.fail("a stale worker got a transaction")
        await foundation.work.renew(leases[-1])


async def test_cancelled_work_stops_its_worker(database_url: str) -> None:
    async with open_foundation(probe_settings(database_url, lease_seconds=1.01)) as foundation:
        handler = Recorder()
        handler.hang = True
        await _enqueue(foundation)
        worker = foundation.worker({"probe": handler})
        task = asyncio.create_task(worker.run())
        await eventually(lambda: handler.runs == 1)
        async with foundation.database.transaction() as tx:
            assert await foundation.work.cancel(tx, kind="probe", key="job") == 1
        await eventually(lambda: worker.busy == 0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert handler.completed == []


async def test_stopping_a_worker_hands_its_work_back(database_url: str) -> None:
    async with open_foundation(probe_settings(database_url)) as foundation:
        handler = Recorder()
        handler.hang = True
        await _enqueue(foundation)
        task = asyncio.create_task(foundation.worker({"probe": handler}).run())
        await eventually(lambda: handler.runs == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        again = await foundation.work.lease(["probe"], "next")
    assert again is not None
    assert again.attempt == 1


async def test_a_database_that_is_away_at_the_end_costs_no_work(database_url: str) -> None:
    async with open_foundation(probe_settings(database_url)) as foundation:
        handler = Recorder()
        complete, failures = handler.complete, [DatabaseUnavailable("away")]

        async def complete_at_last(tx: Tx, lease: Lease, result: str) -> None:
            if failures:
                raise failures.pop()
            await complete(tx, lease, result)

        handler.complete = complete_at_last
        await _enqueue(foundation)
        await _run_until(foundation, handler, "done")
    assert (handler.runs, handler.completed) == (1, ["result of job"])


async def test_a_renewal_that_fails_for_want_of_a_database_is_tried_again(
    database_url: str,
) -> None:
    async with open_foundation(probe_settings(database_url, lease_seconds=1.01)) as foundation:
        await _enqueue(foundation)
        lease = await foundation.work.lease(["probe"], "owner")
        renew, calls = foundation.work.renew, []

        async def renew_at_last(held: Lease) -> None:
            calls.append(held)
            if len(calls) == 1:
                raise DatabaseUnavailable("away")
            await renew(held)

        foundation.work.renew = renew_at_last
        async with foundation.work.kept(lease):
            await eventually(lambda: len(calls) == 3)


@pytest.mark.parametrize("hangs", [True, False])
async def test_work_whose_lease_ran_out_unrenewed_is_ended(database_url: str, hangs: bool) -> None:
    async with open_foundation(probe_settings(database_url, lease_seconds=1.01)) as foundation:
        await _enqueue(foundation)
        lease = await foundation.work.lease(["probe"], "owner")

        async def renew(_lease: Lease) -> None:
            if hangs:
                await asyncio.Event().wait()
            raise DatabaseUnavailable("away")

        foundation.work.renew = renew
        async with asyncio.timeout(10):
            with pytest.raises(LeaseNotRenewed):
                async with foundation.work.kept(lease):
                    await asyncio.Event().wait()


async def test_an_unexpected_error_of_the_renewal_ends_the_work(database_url: str) -> None:
    async with open_foundation(probe_settings(database_url, lease_seconds=1.01)) as foundation:
        await _enqueue(foundation)
        lease = await foundation.work.lease(["probe"], "owner")

        async def renew(_lease: Lease) -> None:
            raise KeyError("a bug")

        foundation.work.renew = renew
        async with asyncio.timeout(10):
            with pytest.raises(KeyError):
                async with foundation.work.kept(lease):
                    await asyncio.Event().wait()


async def test_a_try_that_an_absent_database_ended_does_not_count(database_url: str) -> None:
    async with open_foundation(probe_settings(database_url, lease_seconds=1.01)) as foundation:
        handler = Recorder()
        handler.hang = True
        await _enqueue(foundation)
        renew, release, away = foundation.work.renew, foundation.work.release, [1, 1]

        async def renew_never(_lease: Lease) -> None:
            raise DatabaseUnavailable("away")

        async def release_at_last(lease: Lease) -> None:
            if away:
                away.pop()
                raise DatabaseUnavailable("away")
            handler.hang, foundation.work.renew = False, renew
            await release(lease)

        foundation.work.renew, foundation.work.release = renew_never, release_at_last
        await _run_until(foundation, handler, "done")
        async with foundation.database.connection() as connection:
            assert await connection.fetchval("SELECT attempts FROM work") == 1
