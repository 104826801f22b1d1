"""Services' audit logs against the gateway's copy: what is done to one of them shows."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from archon_contracts.audit_chain import GENESIS_HASH, compute_hash
from archon_contracts.events import AuditRecorded
from archon_contracts.identifiers import new_id
from deploy.cli import app
from deploy.cli.audit_tables import ChainReport, compare_tables
from services.gateway.audit import trail as audit_trail
from services.gateway.audit.store import AuditStore
from shared.messaging.messages import Cause
from shared.process.service_context import ServiceContext
from tests.support.audit import entry, read_log
from tests.support.infrastructure.owner import as_owner
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.stored import events_of

UNLOCK = (
    "ALTER TABLE {schema}.{table} DISABLE TRIGGER append_only",
    "ALTER TABLE registry.audit_log DROP CONSTRAINT IF EXISTS follows_the_one_before",
)


@dataclass(frozen=True, slots=True)
class Logs:
    """A registry that has recorded, and a gateway that received some of it."""

    url: str
    registry: ServiceContext

    async def record(self, count: int) -> None:
        for number in range(count):
            async with self.registry.database.across_tenants() as tx:
                cause = Cause(new_id(), "test")
                await self.registry.audit.append(tx, entry(f"1.{number}.0"), cause=cause)

    async def send_to_gateway(self, most: int = 99) -> None:
        recorded = [
            e for e in await events_of(self.registry.database) if isinstance(e, AuditRecorded)
        ]
        settings = probe_settings(self.url, service="gateway")
        async with (
            open_service_context(settings) as gateway,
            gateway.database.across_tenants() as tx,
        ):
            for event in recorded[:most]:
                await AuditStore().add(tx, event)

    async def tamper(self, *statements: str, table: str = "registry.audit_log") -> None:
        schema, _, name = table.partition(".")
        async with self.registry.database.across_tenants() as tx:
            await as_owner(tx)
            for statement in (*UNLOCK, *statements):
                await tx.execute(statement.format(schema=schema, table=name))

    async def report(self) -> ChainReport:
        (found,) = await compare_tables(self.url)
        return found


@pytest.fixture
async def logs(database_url: str) -> AsyncIterator[Logs]:
    settings = probe_settings(database_url, service="registry")
    async with open_service_context(settings) as registry:
        yield Logs(database_url, registry)


@pytest.mark.parametrize("received", [0, 2, 3])
async def test_a_copy_that_is_not_yet_complete_is_no_fault(logs: Logs, received: int) -> None:
    await logs.record(3)
    await logs.send_to_gateway(most=received)

    found = await logs.report()

    assert (found.ok, found.entries, found.copied) == (True, 3, received)
    assert (found.tenant_id, found.chain) == ("acme", "registry")


async def test_a_copy_that_is_longer_than_a_page_is_read_whole(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "PAGE_ROWS", 2)
    await logs.record(5)
    await logs.send_to_gateway()

    found = await logs.report()

    assert (found.ok, found.copied) == (True, 5)


async def test_a_cut_end_is_found_though_its_head_was_mended(logs: Logs) -> None:
    await logs.record(3)
    await logs.send_to_gateway()

    await logs.tamper(
        "DELETE FROM audit_log WHERE sequence = 3",
        "UPDATE audit_heads SET sequence = 2,"
        " hash = (SELECT hash FROM audit_log WHERE sequence = 2)",
    )

    assert (await logs.report()).problem == "the gateway knows 3 entries, the table has 2"


async def test_a_log_that_was_removed_whole_is_found(logs: Logs) -> None:
    await logs.record(2)
    await logs.send_to_gateway()

    await logs.tamper("DELETE FROM audit_log", "DELETE FROM audit_heads")

    assert (await logs.report()).problem == "the gateway knows 2 entries, the table has 0"


async def test_a_cut_end_that_was_not_copied_is_found_by_the_head(logs: Logs) -> None:
    await logs.record(3)

    await logs.tamper("DELETE FROM audit_log WHERE sequence = 3")

    assert (await logs.report()).problem == "the head is entry 3, but the table ends with 2"


async def test_a_log_that_was_written_anew_whole_is_found(logs: Logs) -> None:
    await logs.record(3)
    await logs.send_to_gateway(most=2)

    await rewrite(logs, lambda row: row["reason"].upper())

    found = await logs.report()
    assert found.problem == "entry 2 differs from the gateway's copy"


async def test_a_changed_copy_is_found(logs: Logs) -> None:
    await logs.record(3)
    await logs.send_to_gateway()

    await logs.tamper(
        "UPDATE gateway.audit_entries SET actor = 'me' WHERE sequence = 2",
        table="gateway.audit_entries",
    )

    problem = "in the gateway's copy, entry 2 is not as it was written"
    assert (await logs.report()).problem == problem


@pytest.mark.parametrize(("broken", "status"), [(False, 0), (True, 1)])
async def test_the_command_exits_with_one_when_a_chain_is_broken(
    logs: Logs, monkeypatch: pytest.MonkeyPatch, broken: bool, status: int
) -> None:
    await logs.record(2)
    if broken:
        await logs.tamper("UPDATE audit_log SET reason = 'another' WHERE sequence = 1")
    monkeypatch.setenv("ARCHON_DATABASE_URL", logs.url)

    result = await asyncio.to_thread(
        CliRunner().invoke, app, ["audit", "verify", "--tables", "--json"]
    )

    assert result.exit_code == status
    assert [chain["ok"] for chain in json.loads(result.stdout)] == [not broken]


async def rewrite(logs: Logs, reason: Callable[[dict[str, str]], str]) -> None:
    """What someone with database access could do: another history with correct hashes."""
    async with logs.registry.database.across_tenants() as connection:
        rows = await read_log(connection)
    previous, statements = GENESIS_HASH, []
    for row in rows:
        forged = row | {"reason": reason(row), "previous_hash": previous}
        previous = compute_hash(forged)
        statements.append(
            f"UPDATE audit_log SET reason = '{forged['reason']}', hash = '{previous}',"
            f" previous_hash = '{forged['previous_hash']}' WHERE sequence = {row['sequence']}"
        )
    await logs.tamper(*statements, f"UPDATE audit_heads SET hash = '{previous}'")
