"""What the services expect to find: their tables and their topics. Idempotent.

The local runtime does it at every start, `archon setup` does it once for a deployment.
"""

from collections.abc import Sequence

from archon_contracts.topics import SERVICES
from shared.broker_admin import ensure_topics
from shared.migrations import migrate
from shared.tenants import SERVICES_ROLE


async def prepare(
    database_url: str,
    bootstrap_servers: str,
    *,
    services: Sequence[str] = SERVICES,
    replication_factor: int = 1,
    role: str = SERVICES_ROLE,
) -> None:
    """Bring every schema up to date for services that act as `role`; create missing topics."""
    await ensure_topics(bootstrap_servers, replication_factor=replication_factor)
    for service in services:
        await migrate(database_url, service, role=role)
