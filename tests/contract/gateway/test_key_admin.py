"""The keys in memory behave as the real ones do, as far as their users can see."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from archon_contracts.identifiers import new_id
from services.gateway.auth.credentials import Caller, Scope, hash_key
from services.gateway.store import GatewayStore
from shared.clock import SystemClock
from shared.postgres.database import Database, Tx
from tests.support.gateway.keys import InMemoryKeyStore

READER = frozenset({Scope.READ})
MAKER = new_id()


@dataclass(frozen=True, slots=True)
class OpenKeyStore:
    """A store of keys and a transaction on it."""

    store: InMemoryKeyStore | GatewayStore
    tx: Tx

    async def add(
        self,
        text: str,
        *,
        tenant_id: str = "acme",
        ends_in: float | None = None,
        agents: frozenset[str] | None = None,
    ) -> UUID:
        """Add a key that ends so many seconds from now; returns its id."""
        key_id = new_id()
        ends = None if ends_in is None else datetime.now(UTC) + timedelta(seconds=ends_in)
        assert await self.store.add_key(
            self.tx,
            key_id=key_id,
            key_hash=hash_key(text),
            caller=Caller(tenant_id, f"name of {text}", READER, agents=agents),
            expires_at=ends,
            created_by=MAKER,
        )
        return key_id


@pytest.fixture(params=["memory", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the real store's database is; None for the one in memory."""
    return None if request.param == "memory" else request.getfixturevalue("database_url")


@pytest.fixture
async def open_store(url: str | None) -> AsyncIterator[OpenKeyStore]:
    if url is None:
        yield OpenKeyStore(InMemoryKeyStore(SystemClock()), object())
        return
    database = Database(url, "gateway")
    await database.open(timeout_seconds=10)
    async with database.across_tenants() as tx:
        yield OpenKeyStore(GatewayStore(), tx)
    await database.close()


async def test_a_key_is_found_by_its_hash_alone(open_store: OpenKeyStore) -> None:
    key_id = await open_store.add("a")

    found = await open_store.store.find_key(open_store.tx, hash_key("a"))

    (view,) = await open_store.store.keys(open_store.tx, "acme")
    assert (view.id, view.created_by, view.scopes) == (key_id, MAKER, ["read"])
    assert found is not None
    assert found.caller == Caller("acme", "name of a", READER, key_id)
    assert (found.seconds_left, found.used_today) == (None, False)
    assert await open_store.store.find_key(open_store.tx, hash_key("b")) is None


async def test_neither_an_id_nor_a_hash_is_taken_twice(open_store: OpenKeyStore) -> None:
    key_id = await open_store.add("a")
    other = Caller("other", "thief", READER)

    same_id = await open_store.store.add_key(
        open_store.tx, key_id=key_id, key_hash=hash_key("b"), caller=other
    )
    same_hash = await open_store.store.add_key(
        open_store.tx, key_id=new_id(), key_hash=hash_key("a"), caller=other
    )

    assert (same_id, same_hash) == (False, False)
    assert await open_store.store.keys(open_store.tx, "other") == []


async def test_a_key_that_has_expired_is_not_found(open_store: OpenKeyStore) -> None:
    await open_store.add("over", ends_in=-1)
    await open_store.add("open", ends_in=3600)

    found = await open_store.store.find_key(open_store.tx, hash_key("open"))

    assert await open_store.store.find_key(open_store.tx, hash_key("over")) is None
    assert found is not None
    assert found.seconds_left == pytest.approx(3600, abs=60)


async def test_a_revoked_key_is_not_found_and_keeps_its_first_end(open_store: OpenKeyStore) -> None:
    key_id = await open_store.add("a")
    assert await open_store.store.revoke_key(open_store.tx, "acme", key_id)
    (first,) = await open_store.store.keys(open_store.tx, "acme", key_id=key_id)

    assert not await open_store.store.revoke_key(open_store.tx, "acme", key_id)

    (second,) = await open_store.store.keys(open_store.tx, "acme", key_id=key_id)
    assert first.revoked_at is not None
    assert first.revoked_at == second.revoked_at
    assert await open_store.store.find_key(open_store.tx, hash_key("a")) is None


async def test_another_tenant_can_neither_see_nor_revoke_a_key(open_store: OpenKeyStore) -> None:
    key_id = await open_store.add("a")

    assert not await open_store.store.revoke_key(open_store.tx, "other", key_id)

    assert await open_store.store.keys(open_store.tx, "other") == []
    assert await open_store.store.keys(open_store.tx, "other", key_id=key_id) == []
    assert await open_store.store.find_key(open_store.tx, hash_key("a")) is not None


async def test_last_use_is_stored_to_the_day(open_store: OpenKeyStore) -> None:
    key_id = await open_store.add("a")

    await open_store.store.mark_key_used(open_store.tx, key_id)

    (view,) = await open_store.store.keys(open_store.tx, "acme")
    found = await open_store.store.find_key(open_store.tx, hash_key("a"))
    assert view.last_used_on is not None
    assert found is not None
    assert found.used_today


async def test_only_valid_keys_are_counted(
    open_store: OpenKeyStore,
) -> None:
    before = await open_store.store.count_keys(open_store.tx, "acme")
    await open_store.add("good")
    await open_store.add("ending", ends_in=60)
    await open_store.add("over", ends_in=-60)
    await open_store.add("of another", tenant_id="globex")
    revoked = await open_store.add("revoked")
    await open_store.store.revoke_key(open_store.tx, "acme", revoked)

    assert await open_store.store.count_keys(open_store.tx, "acme") - before == 2


async def test_a_bound_key_is_found_with_its_agents(open_store: OpenKeyStore) -> None:
    await open_store.add("bound", agents=frozenset({"b", "a"}))
    await open_store.add("free")

    bound = await open_store.store.find_key(open_store.tx, hash_key("bound"))
    free = await open_store.store.find_key(open_store.tx, hash_key("free"))
    views = await open_store.store.keys(open_store.tx, "acme")

    assert bound is not None
    assert free is not None
    assert (bound.caller.agents, free.caller.agents) == (frozenset({"a", "b"}), None)
    shown = {view.name: view.agents for view in views}
    assert shown["name of bound"] == ["a", "b"]
    assert shown["name of free"] is None


async def test_a_list_for_agents_has_only_keys_bound_to_some_of_them(
    open_store: OpenKeyStore,
) -> None:
    await open_store.add("free")
    await open_store.add("wider", agents=frozenset({"a", "c"}))
    own = await open_store.add("own", agents=frozenset({"a"}))

    found = await open_store.store.keys(open_store.tx, "acme", only=frozenset({"a", "b"}))

    assert [view.id for view in found] == [own]
