"""The outbox, work queue and audit log in memory behave as the real ones in PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import new_id
from shared.messaging.messages import Cause
from tests.support.audit import RecordingAudit, entry, read_log
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.open_work import OpenWork
from tests.support.messaging.outbox import RecordingOutbox

COUNT_OUTBOX = "SELECT count(*) FROM outbox"
COUNT_OPEN = "SELECT count(*) FROM work WHERE state = 'queued'"


@dataclass(frozen=True, slots=True)
class Recorders:
    """The three that a service writes to in a transaction, real or in memory."""

    outbox: Any
    work: Any
    audit: Any
    tx: Any

    async def messages(self) -> int:
        if isinstance(self.outbox, RecordingOutbox):
            return len(self.outbox.events)
        return int(await self.tx.fetchval(COUNT_OUTBOX))

    async def open_work(self) -> int:
        if isinstance(self.work, OpenWork):
            return sum(len(payloads) for payloads in self.work.open.values())
        return int(await self.tx.fetchval(COUNT_OPEN))

    async def audited(self) -> list[str]:
        if isinstance(self.audit, RecordingAudit):
            return [each.subject for each in self.audit.entries]
        return [row["subject"] for row in await read_log(self.tx)]


@pytest.fixture(params=["memory", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """The database of the real ones; None for those in memory."""
    return None if request.param == "memory" else request.getfixturevalue("database_url")


@pytest.fixture
async def recorders(url: str | None) -> AsyncIterator[Recorders]:
    if url is None:
        yield Recorders(RecordingOutbox(), OpenWork(), RecordingAudit(), object())
        return
    async with (
        open_service_context(probe_settings(url)) as context,
        context.database.across_tenants() as tx,
    ):
        yield Recorders(context.outbox, context.work, context.audit, tx)


def cause() -> Cause:
    return Cause(new_id(), "correlation")


def body() -> FeedbackReceived:
    return FeedbackReceived(agent_id="picker", interaction_id="1", input="a", expected="b")


async def test_a_message_is_queued_once_per_cause_type_key_and_part(recorders: Recorders) -> None:
    one, outbox, tx = cause(), recorders.outbox, recorders.tx

    first = await outbox.append(tx, body(), cause=one)
    again = await outbox.append(tx, body(), cause=one)
    part = await outbox.append(tx, body(), cause=one, part="second")
    other = await outbox.append(tx, body(), cause=cause())

    assert first == again
    assert len({first, part, other}) == 3
    assert await recorders.messages() == 3


async def test_work_is_added_once_per_cause_kind_and_key(recorders: Recorders) -> None:
    one, work, tx = cause(), recorders.work, recorders.tx

    first = await work.enqueue(tx, kind="train", key="a", payload={"n": 1}, cause=one)
    again = await work.enqueue(tx, kind="train", key="a", payload={"n": 2}, cause=one)
    await work.enqueue(tx, kind="train", key="a", payload={"n": 3}, cause=cause())

    assert first == again
    assert await recorders.open_work() == 2


async def test_cancelled_work_is_counted_and_not_revived(recorders: Recorders) -> None:
    one, work, tx = cause(), recorders.work, recorders.tx
    await work.enqueue(tx, kind="train", key="a", payload={}, cause=one)
    await work.enqueue(tx, kind="train", key="b", payload={}, cause=one)

    cancelled = [await work.cancel(tx, kind="train", key="a") for _ in range(2)]
    await work.enqueue(tx, kind="train", key="a", payload={}, cause=one)

    assert cancelled == [1, 0]
    assert await recorders.open_work() == 1


async def test_an_audit_entry_is_kept_once_per_cause_action_and_part(recorders: Recorders) -> None:
    one, audit, tx = cause(), recorders.audit, recorders.tx

    await audit.append(tx, entry("first"), cause=one)
    await audit.append(tx, entry("again"), cause=one)
    await audit.append(tx, entry("part"), cause=one, part="second")
    await audit.append(tx, entry("other"), cause=cause())

    assert await recorders.audited() == ["first", "part", "other"]
