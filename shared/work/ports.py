"""What a service does for leased work."""

from __future__ import annotations

from typing import Any, Protocol

from shared.postgres.database import Tx
from shared.work.queue import Lease


class WorkHandler(Protocol):
    """What a service does for one kind of work."""

    async def run(self, lease: Lease) -> Any:
        """The long part, outside any transaction; cancelled when the lease is lost."""
        ...

    async def complete(self, tx: Tx, lease: Lease, result: Any) -> None:
        """Write the result and append its events, in the transaction that ends the row."""
        ...

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """Append the failure's events: the error is permanent, or no attempts are left."""
        ...
