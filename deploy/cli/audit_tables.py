"""The audit logs in the services' own tables against the gateway's copy of them.

A chain alone cannot show that its end was cut off, or that the whole of it was written anew; two
places that should agree can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archon_contracts.audit_chain import ChainVerifier
from archon_contracts.topics import SERVICES
from services.gateway.audit.store import AuditStore
from services.gateway.audit.trail import verify_copy
from shared.audit import ChainKey, read_hash, read_heads, verify_log
from shared.postgres.database import Tx, connect, translated_errors

Head = tuple[int, str]


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What was found of one chain; no problem means that all agree."""

    tenant_id: str
    chain: str
    entries: int
    copied: int
    hash: str
    problem: str

    @property
    def ok(self) -> bool:
        """Whether table, head and copy agree."""
        return not self.problem


async def compare_tables(dsn: str) -> list[ChainReport]:
    """Every chain of every service. Entries that the gateway has not yet heard of are no fault."""
    # Before the tables: an entry that is added meanwhile is then in the table alone,
    # which is no fault.
    copies = await _copies(dsn)
    reports = [r for service in SERVICES for r in await _of_service(dsn, service, copies)]
    return sorted(reports, key=lambda report: (report.tenant_id, report.chain))


async def _copies(dsn: str) -> dict[ChainKey, ChainVerifier]:
    connection = await connect(dsn, "gateway")
    try:
        with translated_errors():
            return await verify_copy(AuditStore(), connection)
    finally:
        await connection.close()


async def _of_service(
    dsn: str, service: str, copies: Mapping[ChainKey, ChainVerifier]
) -> list[ChainReport]:
    connection = await connect(dsn, service)
    try:
        # One snapshot: the service may be appending meanwhile.
        with translated_errors():
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                logs, heads = await verify_log(connection), await read_heads(connection)
                mine = {key for key in copies if key[1] == service} | set(logs) | set(heads)
                return [
                    await _report(
                        connection,
                        key,
                        logs.get(key, ChainVerifier()),
                        heads.get(key, (0, ChainVerifier().hash)),
                        copies.get(key, ChainVerifier()),
                    )
                    for key in mine
                ]
    finally:
        await connection.close()


async def _report(
    tx: Tx, key: ChainKey, log: ChainVerifier, head: Head, copy: ChainVerifier
) -> ChainReport:
    at_copy = await read_hash(tx, key, copy.sequence) if copy.sequence else copy.hash
    problem = problem_of(log, head, copy, at_copy=at_copy)
    return ChainReport(*key, log.entries, copy.entries, log.hash, problem)


def problem_of(log: ChainVerifier, head: Head, copy: ChainVerifier, *, at_copy: str | None) -> str:
    """What is wrong with a chain, or nothing; `at_copy` is the table's hash at the copy's end."""
    if not log.ok:
        return log.problem
    if not copy.ok:
        return f"in the gateway's copy, {copy.problem}"
    if head != (log.sequence, log.hash):
        return f"the head is entry {head[0]}, but the table ends with {log.sequence}"
    if copy.sequence > log.sequence:
        return f"the gateway knows {copy.sequence} entries, the table has {log.sequence}"
    if at_copy != copy.hash:
        return f"entry {copy.sequence} differs from the gateway's copy"
    return ""
