"""Row-level security: the tenant whose rows one transaction may see.

Every table with a `tenant_id` has a policy, which `archon setup` makes. The scope is a setting of
the transaction, so a pooled connection drops it with the commit. Without a scope no tenant's row
is seen and none can be written. Every place that looks across tenants says `across_tenants`.
"""

from __future__ import annotations

import contextlib
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

_queries = load_queries("shared")


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
