"""Token buckets: rate limits of keys, tenants and addresses.

Written here, and not taken from PyPI `limits`: that has windows but no bucket with a cost and a
wait, starts a timer thread, and reads the wall clock, which may be set while the gateway runs.
Each process counts for itself: with n gateways a key may have n times its rate.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from services.gateway.errors import RateLimited

MAX_BUCKETS: Final = 10_000


@dataclass(slots=True)
class TokenBucket:
    """Fills at `rate` tokens a second up to `capacity`; times are seconds of one clock."""

    rate: float
    capacity: float
    tokens: float
    at: float

    def consume(self, cost: float, now: float) -> float:
        """Take `cost` and return 0, or take nothing and return the wait [s].

        A cost above the capacity is allowed when the bucket is full, and leaves it negative: the
        average rate holds, and no request waits for ever.
        """
        wait = self.wait(cost, now)
        if not wait:
            self.tokens -= cost
        return wait

    def wait(self, cost: float, now: float) -> float:
        """How long until `cost` may be taken [s]."""
        self.tokens = min(self.capacity, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)
        return max(0.0, min(cost, self.capacity) - self.tokens) / self.rate


class RateLimit:
    """A bucket for each key or address, full at first; a rate of 0 is no limit."""

    def __init__(self, name: str, *, rate: float, capacity: float, reason: str) -> None:
        self.name = name
        self._rate = rate
        self._capacity = max(1.0, capacity)
        self._reason = reason
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def consume(self, owner: Hashable, cost: float, now: float) -> None:
        """Count `cost` against the limit.

        Raises:
            RateLimited: it must wait; nothing was counted.
        """
        if self._rate:
            self._raise_if_limited(self._bucket(owner, now).consume(cost, now))

    def require_room(self, owner: Hashable, now: float) -> None:
        """Refuse what the least cost would be refused for; counts nothing.

        Raises:
            RateLimited: see `consume`.
        """
        if self._rate:
            self._raise_if_limited(self._bucket(owner, now).wait(1, now))

    def charge(self, owner: Hashable, cost: float, now: float) -> None:
        """Count work that has been done already; the bucket may become negative."""
        if self._rate:
            bucket = self._bucket(owner, now)
            bucket.wait(cost, now)  # fills it up to now
            bucket.tokens -= cost

    def refund(self, owner: Hashable, cost: float, now: float) -> None:
        """Undo a `consume` that turned out not to count."""
        if self._rate:
            self._bucket(owner, now).tokens += cost

    def _bucket(self, owner: Hashable, now: float) -> TokenBucket:
        bucket = self._buckets.get(owner)
        if bucket is None:
            bucket = TokenBucket(self._rate, self._capacity, self._capacity, now)
            self._buckets[owner] = bucket
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(owner)
        return bucket

    def _raise_if_limited(self, wait: float) -> None:
        if wait:
            raise RateLimited(self.name, self._reason, wait)
