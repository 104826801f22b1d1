"""Admission: right keys by their own rate, wrong keys by the address that they come from."""

import asyncio

import pytest

from archon_contracts.identifiers import new_id
from services.gateway.auth.admission import Admission, RateLimits, to_address_prefix
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.auth.token_bucket import RateLimit
from services.gateway.errors import NotAllowed, NotAuthenticated, RateLimited
from shared.errors import DatabaseUnavailable
from tests.support.clocks import ManualMonotonic

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Keys:
    """Knows the keys given, and counts how often it is asked."""

    def __init__(self, *names: str) -> None:
        scopes = frozenset({Scope.READ})
        self.known = {name: Caller("acme", name, scopes, new_id()) for name in names}
        self.asked = 0
        self.away = False

    async def authenticate(self, key: str | None) -> Caller:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise DatabaseUnavailable("gone")
        if key is None or key not in self.known:
            raise NotAuthenticated("not known")
        return self.known[key]


def admission(
    keys: Keys,
    clock: ManualMonotonic,
    *,
    requests: float = 0,
    tenant_requests: float = 0,
    tenant_events: float = 0,
    failures: float = 3,
) -> Admission:
    many, events = tenant_requests, tenant_events
    return Admission(
        keys,
        RateLimits(
            RateLimit("requests", rate=requests, capacity=requests, reason="too many"),
            RateLimit("events", rate=10, capacity=10, reason="too many"),
            RateLimit("tenant_requests", rate=many, capacity=many, reason="too many"),
            RateLimit("tenant_events", rate=events, capacity=events, reason="too many"),
            RateLimit("failures", rate=failures / 60, capacity=failures, reason="too many"),
        ),
        clock,
    )


async def enter(
    door: Admission, key: str | None, address: str = HERE, scope: Scope = Scope.READ
) -> str:
    """What became of it, in a word."""
    try:
        return (await door.admit(key=key, address=address, scope=scope)).name
    except (NotAuthenticated, NotAllowed, RateLimited, DatabaseUnavailable) as error:
        return type(error).__name__


async def test_a_key_without_the_scope_is_refused() -> None:
    door = admission(Keys("a"), ManualMonotonic())

    assert await enter(door, "a") == "a"
    assert await enter(door, "a", scope=Scope.WRITE) == "NotAllowed"


async def test_after_too_many_invalid_keys_of_an_address_none_is_looked_up() -> None:
    keys = Keys("a")
    door = admission(keys, ManualMonotonic())

    answers = [await enter(door, f"guess-{n}") for n in range(5)]

    assert answers == ["NotAuthenticated"] * 3 + ["RateLimited"] * 2
    assert keys.asked == 3
    assert await enter(door, None) == "RateLimited"
    assert await enter(door, "a", THERE) == "a"


async def test_concurrent_guesses_are_counted_before_their_look_up() -> None:
    keys = Keys()
    door = admission(keys, ManualMonotonic())

    answers = await asyncio.gather(*(enter(door, f"guess-{n}") for n in range(20)))

    assert answers.count("RateLimited") == 17
    assert keys.asked == 3


async def test_a_valid_key_is_refused_from_an_address_with_too_many_invalid_ones() -> None:
    door = admission(Keys("a"), ManualMonotonic())
    for number in range(3):
        await enter(door, f"guess-{number}")

    assert await enter(door, "a") == "RateLimited"


async def test_a_verified_key_is_not_locked_out_by_others_at_its_address() -> None:
    door = admission(Keys("a"), ManualMonotonic())
    await enter(door, "a")
    for number in range(5):
        await enter(door, f"guess-{number}")

    assert await enter(door, "a") == "a"


async def test_concurrent_valid_keys_are_not_counted_as_failures() -> None:
    names = [f"key-{number}" for number in range(20)]
    door = admission(Keys(*names), ManualMonotonic())

    alone = [await enter(door, name) for name in names]
    at_once = await asyncio.gather(*(enter(door, names[0], THERE) for _ in range(20)))

    assert alone == names
    assert set(at_once) == {names[0]}


async def test_a_revoked_key_counts_as_invalid_from_its_second_use() -> None:
    keys = Keys("a")
    door = admission(keys, ManualMonotonic())
    await enter(door, "a")
    keys.known.clear()

    answers = [await enter(door, "a") for _ in range(6)]

    assert answers == ["NotAuthenticated"] * 4 + ["RateLimited"] * 2


async def test_a_database_outage_counts_no_invalid_key() -> None:
    keys = Keys("a")
    door = admission(keys, ManualMonotonic())
    keys.away = True
    for _ in range(10):
        assert await enter(door, "a") == "DatabaseUnavailable"
    keys.away = False

    assert await enter(door, "a") == "a"


async def test_an_address_may_try_again_with_time() -> None:
    clock = ManualMonotonic()
    door = admission(Keys(), clock)
    for number in range(4):
        await enter(door, f"guess-{number}")

    clock.now += 20

    assert await enter(door, "guess") == "NotAuthenticated"
    assert await enter(door, "guess") == "RateLimited"


async def test_the_request_limit_of_a_key_does_not_affect_others() -> None:
    door = admission(Keys("loud", "quiet"), ManualMonotonic(), requests=2)

    answers = [await enter(door, "loud") for _ in range(3)]

    assert answers == ["loud", "loud", "RateLimited"]
    assert await enter(door, "quiet") == "quiet"


async def test_requests_without_the_scope_are_counted() -> None:
    door = admission(Keys("a"), ManualMonotonic(), requests=2)

    answers = [await enter(door, "a", scope=Scope.WRITE) for _ in range(3)]

    assert answers == ["NotAllowed", "NotAllowed", "RateLimited"]


async def test_many_keys_of_a_tenant_have_a_limit_together() -> None:
    clock = ManualMonotonic()
    door = admission(Keys("a", "b"), clock, requests=2, tenant_requests=3)

    answers = [await enter(door, key) for key in ("a", "a", "b", "b")]
    clock.now += 0.5

    assert answers == ["a", "a", "b", "RateLimited"]
    # What its tenant was refused for was not taken from the key.
    assert [await enter(door, "b"), await enter(door, "b")] == ["b", "RateLimited"]


async def test_events_of_a_tenant_are_counted_over_its_keys() -> None:
    keys = Keys("a", "b")
    door = admission(keys, ManualMonotonic(), tenant_events=15)
    door.consume_events(keys.known["a"], 10)
    door.charge_rejected_events(keys.known["b"], 5)

    with pytest.raises(RateLimited, match="tenant_events"):
        door.require_events(keys.known["b"])


async def test_events_are_counted_by_key_whatever_the_requests() -> None:
    keys = Keys("a", "b")
    door = admission(keys, ManualMonotonic())
    door.consume_events(keys.known["a"], 10)

    with pytest.raises(RateLimited, match="events"):
        door.require_events(keys.known["a"])
    door.require_events(keys.known["b"])


async def test_a_refused_body_is_counted_even_when_the_key_has_nothing_left() -> None:
    keys, clock = Keys("a"), ManualMonotonic()
    door = admission(keys, clock)

    door.charge_rejected_events(keys.known["a"], 6)
    door.charge_rejected_events(keys.known["a"], 24)
    clock.now += 2

    with pytest.raises(RateLimited, match="events"):
        door.require_events(keys.known["a"])
    clock.now += 0.1
    door.require_events(keys.known["a"])


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:2", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_addresses_of_one_prefix_count_as_one(address: str, place: str) -> None:
    assert to_address_prefix(address) == place
