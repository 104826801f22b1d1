"""Row-level security: the tenant whose rows one transaction may see.

Every table with a `tenant_id` has a policy, which `archon setup` makes. The scope is a setting of
the transaction, so a pooled connection drops it with the commit. Without a scope no tenant's row
is seen and none can be written. Every place that looks across tenants says `across_tenants`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from shared.postgres.queries import load_queries
from shared.postgres.transactions import Tx

SERVICES_ROLE: Final = "archon_services"
"""Owns no table: row-level security does not apply to owners and superusers."""
EVERY_TENANT: Final = "*"
"""The scope of what belongs to no one tenant. No tenant's name can begin with a star."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9*._:@-]{1,128}")
"""Holds nothing that means anything within quotes: neither a quote nor a backslash."""

_queries = load_queries("shared")


async def begin_in_scope(connection: Tx, tenant_id: str | None) -> None:
    """Begin a transaction that sees this tenant's rows; None: no tenant's.

    The caller ends it. By one statement where the name is plain, as names of tenants are: a round
    trip to the server takes as long as what most transactions do there.
    """
    if tenant_id is not None and _PLAIN.fullmatch(tenant_id):
        await connection.execute(
            f"BEGIN; SELECT set_config('archon.tenant_id', '{tenant_id}', true)"
        )
        return
    await connection.execute("BEGIN")
    if tenant_id is not None:
        await enter_tenant_scope(connection, tenant_id)


async def enter_tenant_scope(tx: Tx, tenant_id: str) -> None:
    """Restrict the transaction to this tenant's rows, until it ends."""
    await _queries.set_tenant_scope(tx, tenant_id=tenant_id)


@asynccontextmanager
async def across_tenants(tx: Tx) -> AsyncIterator[None]:
    """See every tenant's rows while the block runs, then the scope's again.

    For the few statements of a tenant's transaction that serve another tenant too.
    """
    before = await _queries.replace_tenant_scope(tx, every_tenant=EVERY_TENANT)
    try:
        yield
    finally:
        # An aborted transaction takes no statement, and its end takes the scope with it.
        with contextlib.suppress(asyncpg.InFailedSQLTransactionError):
            await enter_tenant_scope(tx, before or "")
