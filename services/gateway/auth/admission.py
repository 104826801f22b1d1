"""Who may come in, and how often."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final, Protocol

from services.gateway.auth.authenticator import require_scope
from services.gateway.auth.credentials import Caller, Scope, hash_key
from services.gateway.auth.token_bucket import RateLimit
from services.gateway.errors import NotAuthenticated, RateLimited

MOST_PROVEN: Final = 10_000
Proof = tuple[str, bytes]


class Authenticator(Protocol):
    """What is needed of the API keys."""

    async def authenticate(self, key: str | None) -> Caller: ...


@dataclass(frozen=True, slots=True)
class Rates:
    """The limits: of requests and events, of a key and its tenant; of an address's wrong keys."""

    requests: RateLimit
    events: RateLimit
    tenant_requests: RateLimit
    tenant_events: RateLimit
    failures: RateLimit


class Admission:
    """Lets requests in. Wrong keys are counted by address, right ones by key."""

    def __init__(
        self,
        keys: Authenticator,
        rates: Rates,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._rates = rates
        self._monotonic = monotonic
        self._proven: OrderedDict[Proof, None] = OrderedDict()
        self._checking: set[Proof] = set()

    async def admit(self, *, key: str | None, address: str, scope: Scope) -> Caller:
        """The caller, whose request is counted.

        Raises:
            NotAuthenticated: no key, or one that is not good.
            NotAllowed: the key lacks the scope.
            RateLimited: the key or its tenant asks too often, or too many wrong keys came from the
                address.
        """
        caller = await self._authenticate(key, neighbourhood(address))
        self._take(self._rates.requests, self._rates.tenant_requests, caller, 1)
        # Counted before: what a key may not do, it may not do as often as it likes either.
        require_scope(caller, scope)
        return caller

    def require_events(self, caller: Caller) -> None:
        """Refuse a key that is over its limit before its events are read.

        Raises:
            RateLimited: the key, or its tenant, sends too many events.
        """
        self._rates.events.require_room(_whose(caller), self._monotonic())
        self._rates.tenant_events.require_room(caller.tenant_id, self._monotonic())

    def take_events(self, caller: Caller, count: int) -> None:
        """Count events against the key's limit and its tenant's.

        Raises:
            RateLimited: the key, or its tenant, sends too many events.
        """
        self._take(self._rates.events, self._rates.tenant_events, caller, count)

    def charge_events(self, caller: Caller, count: int) -> None:
        """Count the events of a body that was refused: its key has made the work all the same."""
        self._rates.events.charge(_whose(caller), count, self._monotonic())
        self._rates.tenant_events.charge(caller.tenant_id, count, self._monotonic())

    def _take(self, own: RateLimit, tenants: RateLimit, caller: Caller, cost: int) -> None:
        now = self._monotonic()
        own.take(_whose(caller), cost, now)
        try:
            tenants.take(caller.tenant_id, cost, now)
        except RateLimited:
            own.give_back(_whose(caller), cost, now)
            raise

    async def _authenticate(self, key: str | None, place: str) -> Caller:
        proof = (place, hash_key(key or ""))
        if proof in self._proven or proof in self._checking:
            # A key that was good here stays out of the count: a neighbour who guesses must not
            # lock it out. The same key many times at once is one guess.
            return await self._checked(key, proof)
        # Counted before it is looked up, or guesses sent all at once would all be looked up.
        self._rates.failures.take(place, 1, self._monotonic())
        self._checking.add(proof)
        wrong = False
        try:
            return await self._checked(key, proof)
        except NotAuthenticated:
            wrong = True
            raise
        finally:
            self._checking.discard(proof)
            if not wrong:
                self._rates.failures.give_back(place, 1, self._monotonic())

    async def _checked(self, key: str | None, proof: Proof) -> Caller:
        try:
            caller = await self._keys.authenticate(key)
        except NotAuthenticated:
            self._proven.pop(proof, None)
            raise
        self._proven[proof] = None
        self._proven.move_to_end(proof)
        if len(self._proven) > MOST_PROVEN:
            self._proven.popitem(last=False)
        return caller


@lru_cache(maxsize=1024)
def neighbourhood(address: str) -> str:
    """Addresses that count as one: in IPv6 a /64, all of which one subscriber has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))


def _whose(caller: Caller) -> tuple[str, object]:
    return caller.tenant_id, caller.key_id or caller.name
