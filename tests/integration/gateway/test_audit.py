"""The gateway's copy of the audit logs: shown to its tenant, and recomputed on request."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from archon_contracts.audit_chain import compute_hash
from archon_contracts.events import AuditRecorded
from archon_contracts.identifiers import new_id
from services.gateway.auth.credentials import Caller, Scope, hash_key
from services.gateway.store import GatewayStore
from shared.errors import ConstraintViolated
from tests.support.audit import NOON, linked, recorded
from tests.support.eventually import eventually
from tests.support.gateway.gateway import ServedGateway
from tests.support.infrastructure.owner import as_owner

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def chain() -> str:
    """A service's name of the test's own."""
    return f"chain-{uuid4().hex[:12]}"


def build_records(
    chain: str, *contents: dict[str, Any], tenant: str = "default"
) -> list[AuditRecorded]:
    rows = linked(*(content | {"tenant_id": tenant} for content in contents), chain=chain)
    return [recorded(row) for row in rows]


async def verify_chain(gateway: ServedGateway, chain: str, entries: int) -> dict[str, Any]:
    """What verifying says of a chain, once so many of its entries are here."""
    found: dict[str, Any] = {}

    async def there() -> bool:
        chains = (await gateway.get("/v1/audit/verify"))["chains"]
        found.update(next((c for c in chains if c["chain"] == chain), {}))
        return found.get("entries") == entries

    await eventually(there)
    return found


async def test_entries_are_listed_newest_first_and_by_agent_action_and_time(
    gateway: ServedGateway, chain: str
) -> None:
    agent = f"agent-{chain}"
    later = NOON + timedelta(hours=1)
    entries = build_records(
        chain,
        {"agent_id": agent, "reason": "better"},
        {"agent_id": agent, "action": "rolled_back", "reason": "worse", "recorded_at": later},
        {"agent_id": "another"},
    )
    await gateway.publish(*entries)
    assert (await verify_chain(gateway, chain, entries=3))["ok"]

    async def reasons(**query: object) -> list[str]:
        return [e["reason"] for e in (await gateway.get("/v1/audit", **query))["items"]]

    assert await reasons(agent_id=agent) == ["worse", "better"]
    assert await reasons(agent_id=agent, action="deployed") == ["better"]
    assert await reasons(agent_id=agent, since=later.isoformat()) == ["worse"]
    assert await reasons(agent_id=agent, limit=1) == ["worse"]


async def test_an_entry_is_shown_with_who_why_and_its_hash(
    gateway: ServedGateway, chain: str
) -> None:
    change = {"field": "priority", "before": "0", "after": "4"}
    (entry,) = build_records(chain, {"agent_id": chain, "reason": "busy", "changes": [change]})

    await gateway.publish(entry)
    await verify_chain(gateway, chain, entries=1)

    (shown,) = (await gateway.get("/v1/audit", agent_id=chain))["items"]
    assert (shown["actor"], shown["reason"]) == ("ci (key 1)", "busy")
    assert shown["changes"] == [change]
    assert (shown["sequence"], shown["hash"]) == (1, entry.hash)


async def test_a_missing_entry_is_named(gateway: ServedGateway, chain: str) -> None:
    first, _, third = build_records(chain, {}, {}, {})

    await gateway.publish(first, third)

    found = await verify_chain(gateway, chain, entries=2)
    assert (found["ok"], found["broken_at"], found["gaps"]) == (False, 2, [[2, 2]])
    assert not (await gateway.get("/v1/audit/verify"))["ok"]


async def test_a_log_that_was_rewritten_shows_as_two_entries_of_one_number(
    gateway: ServedGateway, chain: str
) -> None:
    first, second = build_records(chain, {}, {"reason": "as it was"})
    other = second.model_dump() | {"reason": "as it never was"}
    forged = AuditRecorded(**(other | {"hash": compute_hash(other)}))

    await gateway.publish(first, second, forged)

    found = await verify_chain(gateway, chain, entries=3)
    assert (found["broken_at"], found["problem"]) == (2, "there are two entries of sequence 2")


async def test_an_entry_that_comes_twice_is_kept_once(gateway: ServedGateway, chain: str) -> None:
    first, second = build_records(chain, {}, {})

    await gateway.publish(first, first, second)

    assert (await verify_chain(gateway, chain, entries=2))["ok"]


async def test_nobody_sees_the_trail_of_another_tenant(gateway: ServedGateway, chain: str) -> None:
    other, mine = build_records(chain, {}, tenant="globex"), build_records(chain, {})
    key = f"reader-{uuid4().hex}"
    headers = await bearer(gateway, key, Scope.READ)

    await gateway.publish(*other, *mine)
    await verify_chain(gateway, chain, entries=1)

    theirs = (await gateway.http.get("/v1/audit", headers=headers)).json()["items"]
    assert [entry["hash"] for entry in theirs] == [other[0].hash]
    refused = await gateway.http.get("/v1/audit/verify", headers=headers)
    assert refused.status_code == 403


async def test_a_tenants_administrator_verifies_its_own_chains_and_no_others(
    gateway: ServedGateway, chain: str
) -> None:
    tenant = f"tenant-{uuid4().hex[:8]}"
    headers = await bearer(gateway, f"admin-{chain}", Scope.ADMIN, tenant=tenant)
    mine = build_records(chain, {}, {}, tenant=tenant)
    await gateway.publish(mine[1])

    async def seen() -> bool:
        return bool((await gateway.get("/v1/audit/verify", tenant_id=tenant))["chains"])

    await eventually(seen)
    own = await gateway.http.get("/v1/audit/verify", headers=headers)
    theirs = await gateway.http.get(
        "/v1/audit/verify", headers=headers, params={"tenant_id": "default"}
    )
    assert own.json() == await gateway.get("/v1/audit/verify", tenant_id=tenant)
    assert [(c["chain"], c["broken_at"]) for c in own.json()["chains"]] == [(chain, 1)]
    assert theirs.status_code == 403


async def bearer(
    gateway: ServedGateway, key: str, scope: Scope, tenant: str = "globex"
) -> dict[str, str]:
    """The header of a new key of a tenant."""
    caller = Caller(tenant, "of a test", frozenset({scope}))
    async with gateway.application.service_context.database.across_tenants() as tx:
        await GatewayStore().add_key(tx, key_id=new_id(), key_hash=hash_key(key), caller=caller)
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET reason = ''",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
    ],
)
async def test_the_copy_is_only_ever_added_to(gateway: ServedGateway, statement: str) -> None:
    with pytest.raises(ConstraintViolated, match="only ever added to"):
        await _execute_as_owner(gateway, statement)


async def _execute_as_owner(gateway: ServedGateway, statement: str) -> None:
    async with gateway.application.service_context.database.across_tenants() as tx:
        await as_owner(tx)
        await tx.execute(statement)


@pytest.mark.parametrize("query", ["since=yesterday", "since=2026-03-01T12:00:00", "limit=0"])
async def test_a_query_that_cannot_be_read_is_refused(gateway: ServedGateway, query: str) -> None:
    assert (await gateway.http.get(f"/v1/audit?{query}")).status_code == 422
