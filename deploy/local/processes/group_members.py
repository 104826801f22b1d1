"""Members of consumer groups whose process was killed, put out of their groups.

A killed process leaves its groups without a word. Apache Kafka drops such a member when its session
times out. The embedded broker names no new leader in its place, and whoever joins next waits
without end. On one machine we know that the process is gone, so we leave the group in its name.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest

from archon_contracts.namespace import NO_NAMESPACE, Namespace
from archon_contracts.topics import consumer_group

TIMEOUT_SECONDS = 5.0

log = structlog.get_logger()


async def evict_members(
    bootstrap_servers: str,
    service: str,
    security: Mapping[str, Any] | None = None,
    namespace: Namespace = NO_NAMESPACE,
) -> int:
    """Put every member of the groups of `service` in a namespace out; returns how many there were.

    `security` holds what `shared.kafka.security.security_arguments` gives.

    A broker that does not answer is left alone: the service will wait for it by itself.
    """
    arguments = {"bootstrap_servers": bootstrap_servers, **(security or {})}
    admin, client = AIOKafkaAdminClient(**arguments), AIOKafkaClient(**arguments)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(admin.start(), client.bootstrap())
            return await _evict(admin, client, namespace.qualify(consumer_group(service)))
    except (KafkaError, OSError) as error:
        log.warning("members_not_evicted", service=service, reason=str(error) or "no answer")
        return 0
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await asyncio.gather(admin.close(), client.close())


async def _evict(admin: AIOKafkaAdminClient, client: AIOKafkaClient, own: str) -> int:
    names = [name for name, _ in await admin.list_consumer_groups()]
    evicted = 0
    for group in (name for name in names if name == own or name.startswith(f"{own}.")):
        coordinator = await admin.find_coordinator(group)
        for member_id in await _members(admin, group):
            await client.send(coordinator, LeaveGroupRequest(group, member_id))
            evicted += 1
    if evicted:
        log.info("members_evicted", group=own, members=evicted)
    return evicted


async def _members(admin: AIOKafkaAdminClient, group: str) -> list[str]:
    (answer,) = await admin.describe_consumer_groups([group])
    (description,) = answer.groups
    # By position, as aiokafka decodes them: members are a group's sixth field, ids a
    # member's first.
    return [str(member[0]) for member in description[5]]
