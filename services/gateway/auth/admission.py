"""Admission of requests: authentication and rate limits."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

from services.gateway.auth.authenticator import ApiKeyAuthenticator, require_scope
from services.gateway.auth.credentials import Caller, Scope, hash_key
from services.gateway.auth.token_bucket import RateLimit
from services.gateway.errors import NotAuthenticated, RateLimited

# Bounds the memory; a credential beyond it is counted as a guess once more, and then known again.
MAX_VERIFIED: Final = 10_000
Credential = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Rate limits of a key and its tenant (requests, events), and of an address (invalid keys)."""

    requests: RateLimit
    events: RateLimit
    tenant_requests: RateLimit
    tenant_events: RateLimit
    failures: RateLimit


class Admission:
    """Admits requests. Invalid keys are counted per address, valid ones per key."""

    def __init__(
        self,
        keys: ApiKeyAuthenticator,
        rates: RateLimits,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._rate_limits = rates
        self._monotonic = monotonic
        self._verified: OrderedDict[Credential, None] = OrderedDict()
        self._checking: set[Credential] = set()

    async def admit(self, *, key: str | None, address: str, scope: Scope) -> Caller:
        """The caller, whose request is counted.

        Raises:
            NotAuthenticated: no key, or an invalid one.
            NotAllowed: the key lacks the scope.
            RateLimited: the key or its tenant sends too many requests, or the address too many
                invalid keys.
        """
        caller = await self.authenticate(key=key, address=address)
        # Counted before the scope check: refused requests cost work too.
        require_scope(caller, scope)
        return caller

    async def authenticate(self, *, key: str | None, address: str) -> Caller:
        """The caller, whose request is counted; its scope is not checked.

        Raises:
            NotAuthenticated: no key, or an invalid one.
            RateLimited: see `admit`.
        """
        caller = await self._authenticate(key, to_address_prefix(address))
        self._consume(self._rate_limits.requests, self._rate_limits.tenant_requests, caller, 1)
        return caller

    def require_events(self, caller: Caller) -> None:
        """Refuse a key that is over its limit before its events are read.

        Raises:
            RateLimited: the key, or its tenant, sends too many events.
        """
        self._rate_limits.events.require_room(_rate_key(caller), self._monotonic())
        self._rate_limits.tenant_events.require_room(caller.tenant_id, self._monotonic())

    def consume_events(self, caller: Caller, count: int) -> None:
        """Count events against the key's limit and its tenant's.

        Raises:
            RateLimited: the key, or its tenant, sends too many events.
        """
        self._consume(self._rate_limits.events, self._rate_limits.tenant_events, caller, count)

    def charge_rejected_events(self, caller: Caller, count: int) -> None:
        """Count the events of a refused body: it cost the work of reading it."""
        self._rate_limits.events.charge(_rate_key(caller), count, self._monotonic())
        self._rate_limits.tenant_events.charge(caller.tenant_id, count, self._monotonic())

    def _consume(self, own: RateLimit, tenants: RateLimit, caller: Caller, cost: int) -> None:
        now = self._monotonic()
        own.consume(_rate_key(caller), cost, now)
        try:
            tenants.consume(caller.tenant_id, cost, now)
        except RateLimited:
            # Nothing is let in, so the key does not pay for what its tenant's limit refused.
            own.refund(_rate_key(caller), cost, now)
            raise

    async def _authenticate(self, key: str | None, place: str) -> Caller:
        credential = (place, hash_key(key or ""))
        if credential in self._verified or credential in self._checking:
            # A key that was valid from this address is not counted: somebody who guesses keys
            # from the same address must not lock it out. Concurrent requests with one key are
            # one guess.
            return await self._checked(key, credential)
        # Counted before the look-up: concurrent guesses would otherwise all be looked up.
        self._rate_limits.failures.consume(place, 1, self._monotonic())
        self._checking.add(credential)
        wrong = False
        try:
            return await self._checked(key, credential)
        except NotAuthenticated:
            wrong = True
            raise
        finally:
            self._checking.discard(credential)
            if not wrong:
                self._rate_limits.failures.refund(place, 1, self._monotonic())

    async def _checked(self, key: str | None, credential: Credential) -> Caller:
        try:
            caller = await self._keys.authenticate(key)
        except NotAuthenticated:
            self._verified.pop(credential, None)
            raise
        self._verified[credential] = None
        self._verified.move_to_end(credential)
        if len(self._verified) > MAX_VERIFIED:
            self._verified.popitem(last=False)
        return caller


@lru_cache(maxsize=1024)
def to_address_prefix(address: str) -> str:
    """The addresses that count as one: in IPv6 a /64, which one subscriber usually owns."""
    try:
        parsed = ip_address(address)
    except ValueError:
        # No IP address, as a proxy may name one: cut, because it is kept as a key.
        return address[:100]
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    # All IPv4 addresses of a dual-stack socket lie in one /64, and must not count as one.
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))


def _rate_key(caller: Caller) -> tuple[str, object]:
    return caller.tenant_id, caller.key_id or caller.name
