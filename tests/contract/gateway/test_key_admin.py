"""The keys in memory behave as the real ones do, as far as their users can tell."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from archon_contracts.identifiers import new_id
from services.gateway.auth.credentials import Caller, Scope, hash_key
from services.gateway.store import Store
from shared.clock import SystemClock
from shared.postgres.database import Database, Tx
from tests.support.gateway.keys import FakeKeys

READER = frozenset({Scope.READ})
MAKER = new_id()


@dataclass(frozen=True, slots=True)
class Opened:
    """A store of keys and a transaction on it."""

    store: FakeKeys | Store
    tx: Tx

    async def add(
        self, text: str, *, tenant_id: str = "acme", ends_in: float | None = None
    ) -> UUID:
        """Add a key that ends so many seconds from now; returns its id."""
        key_id = new_id()
        ends = None if ends_in is None else datetime.now(UTC) + timedelta(seconds=ends_in)
        assert await self.store.add_key(
            self.tx,
            key_id=key_id,
            key_hash=hash_key(text),
            caller=Caller(tenant_id, f"name of {text}", READER),
            expires_at=ends,
            created_by=MAKER,
        )
        return key_id


@pytest.fixture(params=["memory", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the real store's database is; None for the one in memory."""
    return None if request.param == "memory" else request.getfixturevalue("migrated_database_url")


@pytest.fixture
async def opened(url: str | None) -> AsyncIterator[Opened]:
    if url is None:
        yield Opened(FakeKeys(SystemClock()), object())
        return
    database = Database(url, "gateway")
    await database.open(timeout_seconds=10)
    async with database.across_tenants() as tx:
        yield Opened(Store(), tx)
    await database.close()


async def test_a_key_is_found_by_its_hash_alone(opened: Opened) -> None:
    key_id = await opened.add("a")

    found = await opened.store.find_key(opened.tx, hash_key("a"))

    (view,) = await opened.store.keys(opened.tx, "acme")
    assert (view.id, view.created_by, view.scopes) == (key_id, MAKER, ["read"])
    assert found is not None
    assert found.caller == Caller("acme", "name of a", READER, key_id)
    assert (found.seconds_left, found.used_today) == (None, False)
    assert await opened.store.find_key(opened.tx, hash_key("b")) is None


async def test_neither_an_id_nor_a_hash_is_taken_twice(opened: Opened) -> None:
    key_id = await opened.add("a")
    other = Caller("other", "thief", READER)

    same_id = await opened.store.add_key(
        opened.tx, key_id=key_id, key_hash=hash_key("b"), caller=other
    )
    same_hash = await opened.store.add_key(
        opened.tx, key_id=new_id(), key_hash=hash_key("a"), caller=other
    )

    assert (same_id, same_hash) == (False, False)
    assert await opened.store.keys(opened.tx, "other") == []


async def test_a_key_that_has_expired_is_not_found(opened: Opened) -> None:
    await opened.add("over", ends_in=-1)
    await opened.add("open", ends_in=3600)

    found = await opened.store.find_key(opened.tx, hash_key("open"))

    assert await opened.store.find_key(opened.tx, hash_key("over")) is None
    assert found is not None
    assert found.seconds_left == pytest.approx(3600, abs=60)


async def test_a_revoked_key_is_not_found_and_keeps_its_first_end(opened: Opened) -> None:
    key_id = await opened.add("a")
    assert await opened.store.revoke_key(opened.tx, "acme", key_id)
    (first,) = await opened.store.keys(opened.tx, "acme", key_id=key_id)

    assert not await opened.store.revoke_key(opened.tx, "acme", key_id)

    (second,) = await opened.store.keys(opened.tx, "acme", key_id=key_id)
    assert first.revoked_at is not None
    assert first.revoked_at == second.revoked_at
    assert await opened.store.find_key(opened.tx, hash_key("a")) is None


async def test_another_tenant_can_neither_see_nor_revoke_a_key(opened: Opened) -> None:
    key_id = await opened.add("a")

    assert not await opened.store.revoke_key(opened.tx, "other", key_id)

    assert await opened.store.keys(opened.tx, "other") == []
    assert await opened.store.keys(opened.tx, "other", key_id=key_id) == []
    assert await opened.store.find_key(opened.tx, hash_key("a")) is not None


async def test_a_use_is_remembered_to_the_day(opened: Opened) -> None:
    key_id = await opened.add("a")

    await opened.store.mark_key_used(opened.tx, key_id)

    (view,) = await opened.store.keys(opened.tx, "acme")
    found = await opened.store.find_key(opened.tx, hash_key("a"))
    assert view.last_used_on is not None
    assert found is not None
    assert found.used_today


async def test_good_keys_are_counted_and_those_that_are_over_are_not(opened: Opened) -> None:
    before = await opened.store.count_keys(opened.tx, "acme")
    await opened.add("good")
    await opened.add("ending", ends_in=60)
    await opened.add("over", ends_in=-60)
    await opened.add("of another", tenant_id="globex")
    revoked = await opened.add("revoked")
    await opened.store.revoke_key(opened.tx, "acme", revoked)

    assert await opened.store.count_keys(opened.tx, "acme") - before == 2
