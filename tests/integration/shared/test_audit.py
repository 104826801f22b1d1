"""The audit log on a real PostgreSQL: one chain, no way to change it unseen."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from archon_contracts.events import AuditRecorded
from archon_contracts.identifiers import new_id
from shared import audit
from shared.audit import describe_actor, read_heads, verify_log
from shared.errors import AccessRefused, ConstraintViolated
from shared.messaging.messages import Cause
from shared.process.service_context import ServiceContext
from tests.support.audit import entry, read_log
from tests.support.infrastructure.owner import as_owner
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import events_of
from tests.support.registry import roll_back

CHAIN = ("acme", "probe")
AS_OWNER = (
    "ALTER TABLE audit_log DISABLE TRIGGER append_only",
    "ALTER TABLE audit_log DROP CONSTRAINT follows_the_one_before",
)
WRITERS = 50


@pytest.fixture
async def shared(database_url: str) -> AsyncIterator[ServiceContext]:
    """A made-up service, migrated and open, with room for writers at once."""
    async with open_service_context(
        probe_settings(database_url, database_pool_size=20)
    ) as service_context:
        yield service_context


async def append(shared: ServiceContext, subject: str, **fields: object) -> None:
    async with shared.database.across_tenants() as tx:
        await shared.audit.append(tx, entry(subject, **fields), cause=Cause(new_id(), "test"))


async def append_and_fail(shared: ServiceContext, subject: str) -> None:
    async with shared.database.across_tenants() as tx:
        await shared.audit.append(tx, entry(subject), cause=Cause(new_id(), "test"))
        _ = 1 / 0


async def execute(shared: ServiceContext, *statements: str) -> None:
    """As the tables' owner: a service's role may not even try."""
    async with shared.database.across_tenants() as tx:
        await as_owner(tx)
        for statement in statements:
            await tx.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET reason = 'another'",
        "UPDATE audit_log SET reason = 'another' WHERE false",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ],
)
async def test_the_database_refuses_to_change_the_log(
    shared: ServiceContext, statement: str
) -> None:
    await append(shared, "1.0.0")

    with pytest.raises(ConstraintViolated, match="only ever added to"):
        await execute(shared, statement)

    async with shared.database.across_tenants() as connection:
        assert [row["reason"] for row in await read_log(connection)] == ["it is better"]


async def test_a_service_may_not_even_try_to_change_the_log(shared: ServiceContext) -> None:
    await append(shared, "1.0.0")

    with pytest.raises(AccessRefused):
        async with shared.database.across_tenants() as tx:
            await tx.execute("UPDATE audit_log SET reason = 'another'")


async def test_the_refusal_holds_for_a_session_that_plays_a_replica_too(
    shared: ServiceContext,
) -> None:
    async with shared.database.across_tenants() as connection:
        enabled = await connection.fetchval(
            "SELECT tgenabled FROM pg_trigger WHERE tgname = 'append_only'"
        )

    assert enabled == b"A"  # always; O would be origin and local only


async def test_fifty_writers_at_once_make_one_chain_without_a_gap(shared: ServiceContext) -> None:
    await asyncio.gather(*(append(shared, f"1.{number}.0") for number in range(WRITERS)))

    async with shared.database.across_tenants() as connection:
        check = (await verify_log(connection))[CHAIN]
        heads = await read_heads(connection)
    assert (check.ok, check.entries, check.gaps) == (True, WRITERS, [])
    assert heads == {CHAIN: (WRITERS, check.hash)}


async def test_a_log_that_is_longer_than_a_page_is_read_whole(
    shared: ServiceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 2)
    for tenant in ("acme", "globex"):
        for number in range(3):
            await append(shared, f"1.{number}.0", tenant_id=tenant)

    async with shared.database.across_tenants() as connection:
        found = await verify_log(connection)
    assert [(check.ok, check.entries) for check in found.values()] == [(True, 3), (True, 3)]


async def test_each_tenant_has_a_chain_of_its_own(shared: ServiceContext) -> None:
    for tenant in ("acme", "globex", "acme"):
        await append(shared, "1.0.0", tenant_id=tenant)

    async with shared.database.across_tenants() as connection:
        found = await verify_log(connection)
    assert {key: check.entries for key, check in found.items()} == {
        ("acme", "probe"): 2,
        ("globex", "probe"): 1,
    }


async def test_an_entry_is_rolled_back_with_its_transaction(shared: ServiceContext) -> None:
    await append(shared, "1.0.0")

    with pytest.raises(ZeroDivisionError):
        await append_and_fail(shared, "1.1.0")
    await append(shared, "1.2.0")

    async with shared.database.across_tenants() as connection:
        rows = await read_log(connection)
        check = (await verify_log(connection))[CHAIN]
    assert [(row["sequence"], row["subject"]) for row in rows] == [(1, "1.0.0"), (2, "1.2.0")]
    assert check.ok


async def test_a_redelivered_command_leaves_one_entry(shared: ServiceContext) -> None:
    message = message_of(roll_back().model_copy(update={"tenant_id": "acme"}))

    async def use_case(tx, received):
        await shared.audit.append(tx, entry(), cause=received.cause)

    for _ in range(2):
        await shared.inbox.run_once(message, use_case)
    async with shared.database.across_tenants() as tx:  # even past the inbox
        await use_case(tx, message)

    async with shared.database.across_tenants() as connection:
        assert len(await read_log(connection)) == 1
    assert len(await events_of(shared.database)) == 1


async def test_the_published_event_is_the_row(shared: ServiceContext) -> None:
    await append(shared, "1.0.0")
    await append(shared, "1.1.0")

    async with shared.database.across_tenants() as connection:
        rows = await read_log(connection)
    events = await events_of(shared.database)
    assert [type(event) for event in events] == [AuditRecorded, AuditRecorded]
    for row, event in zip(rows, events, strict=True):
        assert event.model_dump(exclude={"changes"}) == {
            name: value for name, value in row.items() if name not in ("changes", "previous")
        }


@pytest.mark.parametrize(
    ("tampering", "broken_at", "problem"),
    [
        (
            "UPDATE audit_log SET reason = 'another' WHERE sequence = 3",
            3,
            "entry 3 is not as it was written",
        ),
        (
            "UPDATE audit_log SET details = '{\"previous_version\": 9}' WHERE sequence = 5",
            5,
            "entry 5 is not as it was written",
        ),
        ("DELETE FROM audit_log WHERE sequence IN (2, 3)", 2, "entries 2 to 3 are missing"),
        (
            "UPDATE audit_log SET hash = repeat('e', 64) WHERE sequence = 4",
            4,
            "entry 4 is not as it was written",
        ),
    ],
)
async def test_what_an_owner_does_behind_a_dropped_trigger_is_found_and_named(
    shared: ServiceContext, tampering: str, broken_at: int, problem: str
) -> None:
    for number in range(5):
        await append(shared, f"1.{number}.0")

    await execute(shared, *AS_OWNER, tampering)

    async with shared.database.across_tenants() as connection:
        check = (await verify_log(connection))[CHAIN]
    assert (check.broken_at, check.problem) == (broken_at, problem)


async def test_an_end_cut_off_is_reported_by_the_head(shared: ServiceContext) -> None:
    for number in range(3):
        await append(shared, f"1.{number}.0")

    await execute(shared, *AS_OWNER, "DELETE FROM audit_log WHERE sequence = 3")

    async with shared.database.across_tenants() as connection:
        check = (await verify_log(connection))[CHAIN]
        heads = await read_heads(connection)
    assert check.sequence == 2
    assert heads[CHAIN][0] == 3


async def test_neither_a_fork_nor_a_gap_can_be_written(shared: ServiceContext) -> None:
    for number in range(2):
        await append(shared, f"1.{number}.0")
    copy = (
        "INSERT INTO audit_log (tenant_id, chain, sequence, entry_id, recorded_at, actor, action,"
        " subject, reason, details, changes, cause_id, trace_id, previous_hash, hash)"
        " SELECT tenant_id, chain, {sequence}, gen_random_uuid(), recorded_at, actor, action,"
        " subject, reason, details, changes, cause_id, trace_id, {previous}, hash"
        " FROM audit_log WHERE sequence = 1"
    )

    for sequence, previous in ((2, "hash"), (4, "hash"), (3, "hash")):
        with pytest.raises(ConstraintViolated):
            await execute(shared, copy.format(sequence=sequence, previous=previous))


@pytest.mark.parametrize(
    ("requested_by", "actor"),
    [("ci (key 1)", "ci (key 1)"), ("", "unknown (source agent/x)")],
)
def test_who_did_not_say_is_reported_by_where_it_came_from(requested_by: str, actor: str) -> None:
    assert describe_actor(requested_by, "agent/x") == actor
