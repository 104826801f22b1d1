"""What a gateway remembers of keys: for half a minute, and never longer than they live."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from archon_contracts.identifiers import new_id
from services.gateway.auth import authenticator as api_keys
from services.gateway.auth.authenticator import ApiKeyAuthenticator
from services.gateway.auth.credentials import ALL_SCOPES, Caller, Scope, StoredKey, hash_key
from services.gateway.errors import NotAuthenticated
from shared.errors import DatabaseUnavailable
from tests.support.clocks import SetClock
from tests.support.gateway.keys import InMemoryKeyStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY_ID = new_id()
CALLER = Caller("acme", "agent", frozenset({Scope.FEEDBACK}))


class SwitchableDatabase:
    """Counts its connections; a test may take it away, or hold a look-up up."""

    def __init__(self) -> None:
        self.opened = 0
        self.away = False
        self.pause = asyncio.Event()
        self.pause.set()

    @asynccontextmanager
    async def across_tenants(self, _tenant_id: str = "") -> AsyncIterator[None]:
        if self.away:
            raise DatabaseUnavailable("gone")
        self.opened += 1
        yield

    transaction = across_tenants


class SlowKeys(InMemoryKeyStore):
    """Finds a key, and hands it over when the test says so."""

    def __init__(self, clock: SetClock, pause: asyncio.Event) -> None:
        super().__init__(clock)
        self._pause = pause

    async def find_key(self, tx: object, key_hash: bytes) -> StoredKey | None:
        found = await super().find_key(tx, key_hash)
        await self._pause.wait()
        return found


class AuthenticatorFixture:
    """Keys, their store and its database."""

    def __init__(self) -> None:
        self.database = SwitchableDatabase()
        self.store = SlowKeys(SetClock(NOON), self.database.pause)
        self.seconds = 0.0
        self.keys = ApiKeyAuthenticator(self.database, self.store, lambda: self.seconds)

    async def add(self, ends_in: float | None = None, key: str = "k") -> None:
        ends = None if ends_in is None else NOON + timedelta(seconds=ends_in)
        await self.store.add_key(
            None,
            key_id=KEY_ID if key == "k" else new_id(),
            key_hash=hash_key(key),
            caller=CALLER,
            expires_at=ends,
        )


@pytest.fixture
async def door() -> AuthenticatorFixture:
    return AuthenticatorFixture()


async def test_a_cached_key_is_valid_during_a_database_outage(door: AuthenticatorFixture) -> None:
    await door.add()
    await door.keys.authenticate("k")
    door.database.away = True

    assert (await door.keys.authenticate("k")).key_id == KEY_ID
    with pytest.raises(DatabaseUnavailable):
        await door.keys.authenticate("another")


async def test_a_key_is_cached_no_longer_than_it_is_valid(door: AuthenticatorFixture) -> None:
    await door.add(ends_in=10)

    opened = []
    for second in (0, 9, 11):
        door.seconds = second
        await door.keys.authenticate("k")
        opened.append(door.database.opened)

    assert opened == [1, 1, 2]


async def test_a_cached_key_is_looked_up_again_after_half_a_minute(
    door: AuthenticatorFixture,
) -> None:
    await door.add()

    opened = []
    for second in (0, 29, 31):
        door.seconds = second
        await door.keys.authenticate("k")
        opened.append(door.database.opened)

    assert opened == [1, 1, 2]


async def test_a_revoked_key_is_refused_here_at_once(door: AuthenticatorFixture) -> None:
    await door.add()
    await door.keys.authenticate("k")
    await door.store.revoke_key(None, "acme", KEY_ID)

    door.keys.invalidate(KEY_ID)

    with pytest.raises(NotAuthenticated, match="revoked"):
        await door.keys.authenticate("k")


async def test_a_look_up_overtaken_by_a_revocation_is_not_cached(
    door: AuthenticatorFixture,
) -> None:
    await door.add()
    door.database.pause.clear()
    looking = asyncio.create_task(door.keys.authenticate("k"))
    await asyncio.sleep(0)
    await door.store.revoke_key(None, "acme", KEY_ID)
    door.keys.invalidate(KEY_ID)
    door.database.pause.set()
    await looking

    with pytest.raises(NotAuthenticated):
        await door.keys.authenticate("k")


async def test_the_key_cache_is_bounded_and_evicts_expired_keys_first(
    door: AuthenticatorFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "MAX_CACHED_KEYS", 2)
    await door.add()
    await door.add(ends_in=10, key="short")
    await door.add(key="third")
    await door.add(key="fourth")

    await door.keys.authenticate("k")
    await door.keys.authenticate("short")
    door.seconds = 11
    await door.keys.authenticate("third")
    door.database.away = True
    first = await door.keys.authenticate("k")
    door.database.away = False
    await door.keys.authenticate("fourth")
    door.database.away = True

    assert first.key_id == KEY_ID
    with pytest.raises(DatabaseUnavailable):
        await door.keys.authenticate("k")
    assert await door.keys.authenticate("third")


async def test_a_use_is_written_once_a_day(door: AuthenticatorFixture) -> None:
    await door.add()
    await door.keys.authenticate("k")

    (view,) = await door.store.keys(None, "acme")

    assert view.last_used_on == NOON.date()
    found = await door.store.find_key(None, hash_key("k"))
    assert found is not None
    assert found.used_today


async def test_the_bootstrap_key_has_every_scope_and_stays_revoked(
    door: AuthenticatorFixture,
) -> None:
    await door.keys.bootstrap("a-key-of-16-chars")
    first = await door.keys.authenticate("a-key-of-16-chars")
    assert first.key_id is not None
    await door.store.revoke_key(None, "default", first.key_id)
    door.keys.invalidate(first.key_id)

    await door.keys.bootstrap("a-key-of-16-chars")

    assert (first.tenant_id, first.scopes) == ("default", ALL_SCOPES)
    with pytest.raises(NotAuthenticated):
        await door.keys.authenticate("a-key-of-16-chars")
