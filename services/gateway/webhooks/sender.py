"""Sends the deliveries of webhooks, and again while that may help."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from services.gateway.webhooks.addresses import (
    AddressRefused,
    IpNetwork,
    Resolve,
    find_address,
    look_up,
    read_url,
)
from services.gateway.webhooks.signing import sign
from services.gateway.webhooks.store import DueDelivery, WebhookStore
from shared.logging import get_logger
from shared.ports import Clock
from shared.postgres.database import Database

if TYPE_CHECKING:
    import httpx

POLL_SECONDS: Final = 2.0
BATCH: Final = 20
TIMEOUT_SECONDS: Final = 10.0
LEASE_SECONDS: Final = 60.0
MAX_ATTEMPTS: Final = 12
FIRST_RETRY_SECONDS: Final = 5.0
LONGEST_RETRY_SECONDS: Final = 6 * 3600.0
MAX_OUTCOME: Final = 300

log = get_logger(__name__)


class WebhookSender:
    """`run_once` sends what is due; the caller repeats it."""

    def __init__(
        self,
        database: Database,
        store: WebhookStore,
        clock: Clock,
        allowed: Sequence[IpNetwork],
        *,
        resolve: Resolve = look_up,
        verify: bool = True,
    ) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._allowed = allowed
        self._resolve = resolve
        self._verify = verify

    async def run_once(self) -> int:
        """Send a batch; returns how many were due."""
        async with self._database.across_tenants() as tx:
            due = await self._store.lease(tx, limit=BATCH, seconds=LEASE_SECONDS)
        if due:
            # At the first delivery: it costs memory that a gateway without webhooks saves.
            import httpx

            # A client for each batch: a kept connection would be to an address of long ago.
            async with httpx.AsyncClient(
                timeout=TIMEOUT_SECONDS,
                follow_redirects=False,
                verify=self._verify,
                trust_env=False,
            ) as http:
                await asyncio.gather(*(self._send(http, delivery) for delivery in due))
        return len(due)

    async def _send(self, http: httpx.AsyncClient, delivery: DueDelivery) -> None:
        import httpx

        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                outcome, delivered = await self._attempt(http, delivery)
        except TimeoutError:
            outcome, delivered = f"no answer within {TIMEOUT_SECONDS:g} s", False
        except AddressRefused as refusal:
            outcome, delivered = str(refusal), False
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            outcome, delivered = f"{type(error).__name__}: {error}", False
        is_last = delivery.attempts >= MAX_ATTEMPTS
        state = "delivered" if delivered else "failed" if is_last else "pending"
        if state == "failed":
            log.warning("webhook_failed", delivery_id=str(delivery.delivery_id), outcome=outcome)
        async with self._database.across_tenants() as tx:
            await self._store.record(
                tx,
                delivery,
                state=state,
                outcome=outcome[:MAX_OUTCOME],
                retry_seconds=retry_seconds(delivery.attempts),
            )

    async def _attempt(self, http: httpx.AsyncClient, delivery: DueDelivery) -> tuple[str, bool]:
        """The status of the answer, and whether it is a success; nothing of its body is read."""
        url = read_url(delivery.url)
        address = await find_address(url, self._allowed, self._resolve)
        host = f"[{address}]" if ":" in address else address
        timestamp = int(self._clock.now().timestamp())
        headers = {
            "Host": url.authority,
            "Content-Type": "application/json",
            "User-Agent": "archon-webhooks/1",
            **sign(delivery.secret, str(delivery.delivery_id), timestamp, delivery.payload),
        }
        request = http.build_request(
            "POST",
            f"{url.scheme}://{host}:{url.port}{url.target}",
            content=delivery.payload.encode(),
            headers=headers,
            # The connection goes to the address that was checked; the certificate is the name's.
            extensions={"sni_hostname": url.host},
        )
        response = await http.send(request, stream=True)
        await response.aclose()
        status = response.status_code
        if response.is_redirect:
            return f"{status}: redirects are not followed", False
        # Not the receiver's own words, which would be shown to others.
        return str(status), response.is_success


def retry_seconds(attempts: int) -> float:
    """How long to wait after so many attempts: 5 s, 10 s, ... up to six hours."""
    return float(min(FIRST_RETRY_SECONDS * 2.0 ** (attempts - 1), LONGEST_RETRY_SECONDS))
