"""The audit trail as callers see it: the entries of their tenant, and whether all are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from archon_contracts.audit_chain import ChainVerifier
from services.gateway.audit.store import AuditStore
from services.gateway.domain import View
from shared.audit import ChainKey
from shared.postgres.database import Tx

PAGE_ROWS: Final = 500


class ChainView(View):
    """What recomputing a chain gave. Compare `sequence` and `hash` with what was noted before."""

    chain: str
    ok: bool
    entries: int
    sequence: int = Field(description="Of the newest entry.")
    hash: str = Field(description="Of the newest entry.")
    broken_at: int | None = Field(default=None, description="First sequence that is not right.")
    problem: str = ""
    gaps: list[tuple[int, int]] = Field(description="First and last missing sequence of each gap.")


class AuditVerification(View):
    """Whether every chain of a tenant is whole."""

    ok: bool
    chains: list[ChainView]


class AuditTrail:
    """`tx` is only read from."""

    def __init__(self, store: AuditStore) -> None:
        self.store = store

    async def verify(self, tx: Tx, tenant_id: str) -> AuditVerification:
        """Recompute every chain of a tenant."""
        checks = await verify_copy(self.store, tx, tenant_id)
        chains = [_to_chain_view(chain, check) for (_, chain), check in sorted(checks.items())]
        return AuditVerification(ok=all(chain.ok for chain in chains), chains=chains)


async def verify_copy(
    store: AuditStore, tx: Tx, tenant_id: str | None = None
) -> dict[ChainKey, ChainVerifier]:
    """The chains of one tenant or all, recomputed a page at a time."""
    found: dict[ChainKey, ChainVerifier] = {}
    last: Mapping[str, Any] | None = None
    while page := await store.page(tx, tenant_id, last, limit=PAGE_ROWS):
        for row in page:
            found.setdefault((row["tenant_id"], row["chain"]), ChainVerifier()).add(row)
        last = page[-1]
    return found


def _to_chain_view(chain: str, check: ChainVerifier) -> ChainView:
    return ChainView(
        chain=chain,
        ok=check.ok,
        entries=check.entries,
        sequence=check.sequence,
        hash=check.hash,
        broken_at=check.broken_at,
        problem=check.problem,
        gaps=check.gaps,
    )
