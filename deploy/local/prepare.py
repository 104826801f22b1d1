"""What the services expect to find: their tables and their topics. Idempotent.

The local runtime does it at every start, `archon setup` does it once for a deployment.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from archon_contracts.namespace import NO_NAMESPACE, Namespace
from archon_contracts.topics import SERVICES
from shared.kafka.topic_admin import ensure_topics
from shared.postgres.migrations import migrate
from shared.postgres.tenants import SERVICES_ROLE


async def prepare(
    database_url: str,
    bootstrap_servers: str,
    *,
    services: Sequence[str] = SERVICES,
    replication_factor: int | None = 1,
    role: str = SERVICES_ROLE,
    security: Mapping[str, Any] | None = None,
    namespace: Namespace = NO_NAMESPACE,
) -> None:
    """Bring every schema up to date for services that act as `role`; create missing topics.

    `security` is how Kafka is spoken to, see `shared.kafka.security.security_arguments`;
    `replication_factor` None is chosen by the cluster's size, see `ensure_topics`.
    """
    await ensure_topics(
        bootstrap_servers,
        replication_factor=replication_factor,
        security=security,
        namespace=namespace,
    )
    for service in services:
        await migrate(database_url, service, role=role)
