"""What the tables' owner may do and a service may not."""

from shared.postgres.database import Tx


async def as_owner(tx: Tx) -> None:
    """Act as the login itself, which owns the tables, until the transaction ends."""
    await tx.execute("SELECT set_config('role', session_user, true)")
