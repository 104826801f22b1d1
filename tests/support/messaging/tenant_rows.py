"""One made-up row of a tenant in every table that has tenants, however the tables look."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import ConstraintViolated
from shared.postgres.database import Database, Tx, savepoint
from tests.support.messaging.messages import NOON

TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attname = 'tenant_id' AND NOT a.attisdropped
    ORDER BY 1
"""
COLUMNS = """
    SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type,
           (SELECT string_agg(pg_get_constraintdef(k.oid), ' ') FROM pg_constraint k
            WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND a.attnum = ANY(k.conkey)) AS rule
    FROM pg_attribute a
    WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attidentity = '' AND a.attgenerated = '' AND a.attnotnull
      AND (NOT a.atthasdef OR a.attname = 'tenant_id')
"""
OWNER = "archon.tenant.id"
"""The attribute that says whose span it is: its tenant_id is made from that."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that has tenants, with the columns that a row must bring."""

    name: str
    columns: tuple[Mapping[str, Any], ...]

    def row(self, tenant_id: str) -> dict[str, Any]:
        """Values that satisfy the table's rules; the same for each table, so that keys meet."""
        return {column["name"]: _value(column, tenant_id) for column in self.columns}

    async def insert(self, tx: Tx, tenant_id: str) -> None:
        """Store the tenant's row."""
        row = self.row(tenant_id)
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        names = ", ".join(row)
        await tx.execute(f"INSERT INTO {self.name} ({names}) VALUES ({places})", *row.values())


def _value(column: Mapping[str, Any], tenant_id: str) -> Any:
    match column["name"], column["type"]:
        case "tenant_id", _:
            return tenant_id
        case "version" | "control_version" | "treatment_version", "text":
            return "1.1.1"  # what three numbers give that are all 1
        case "previous_hash", _:
            return "0" * 64  # of the first entry of an audit log
        case "attributes", _:
            return {OWNER: tenant_id}
        case _, "uuid":
            return uuid.uuid5(uuid.NAMESPACE_OID, tenant_id)
        case _, "bytea":
            return hashlib.sha256(tenant_id.encode()).digest()
        case _, "text":
            return _text(column["rule"] or "")
        case _, kind:
            return {
                "integer": 1,
                "bigint": 1,
                "double precision": 1.0,
                "boolean": True,
                "jsonb": {},
                "text[]": [],
                "timestamp with time zone": NOON,
                "integer[]": [1],
                "double precision[]": [1.0],
                "timestamp with time zone[]": [NOON],
            }[kind]


def _text(rule: str) -> str:
    if "a-f" in rule:
        return "0" * 64
    named = re.search(r"'([^']+)'::text", rule)
    return named[1] if named else "made-up"


async def tables_of(database: Database) -> list[Table]:
    """Every table of the service's schema that has tenants."""
    async with database.connection() as connection:
        names = [row["relname"] for row in await connection.fetch(TABLES, database.schema)]
        return [Table(name, tuple(await connection.fetch(COLUMNS, name))) for name in names]


async def fill(database: Database, tenant_id: str, tables: list[Table]) -> None:
    """Give the tenant a row in each table, in its own scope; those that others refer to first."""
    waiting = list(tables)
    while waiting:
        left = []
        async with database.transaction(tenant_id) as tx:
            for table in waiting:
                try:
                    async with savepoint(tx):
                        await table.insert(tx, tenant_id)
                except ConstraintViolated:
                    left.append(table)
        if len(left) == len(waiting):
            raise AssertionError(f"no row fits into {', '.join(table.name for table in left)}")
        waiting = left


async def rows_of(database: Database, tenant_id: str, tables: list[Table]) -> dict[str, list[str]]:
    """All that the tenant has, as text, by table."""
    found = {}
    async with database.across_tenants() as tx:
        for table in tables:
            query = f"SELECT t::text AS row FROM {table.name} t WHERE tenant_id = $1 ORDER BY 1"
            found[table.name] = [row["row"] for row in await tx.fetch(query, tenant_id)]
    return found
