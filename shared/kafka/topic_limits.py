"""What each topic takes: the limits that a record can break, read from the broker at start.

A limit below what we may send is no error yet: it is logged once, so that the first refused record
is no surprise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from shared.kafka.topic_admin import admin_client

DESCRIBE_SECONDS: Final = 3.0
MESSAGE_BYTES: Final = "max.message.bytes"
BEFORE_MS: Final = "message.timestamp.before.max.ms"
AFTER_MS: Final = "message.timestamp.after.max.ms"
CLOCK_SKEW_MS: Final = 60_000
"""Records have the time of their sending; by so much clocks may differ, as between hosts without
synchronised clocks."""
DEFAULT_RECORD_BYTES: Final = 1_000_000
"""What a service may send of an event that has no limit of its own."""


@dataclass(frozen=True, slots=True)
class TopicLimits:
    """Limits of a topic; None where the broker names none."""

    message_bytes: int | None = None
    before_ms: int | None = None
    after_ms: int | None = None

    def warnings(self, topic: str, record_bytes: int) -> list[str]:
        """What of it is below our own, a sentence each."""
        found = []
        if self.message_bytes is not None and self.message_bytes < record_bytes:
            found.append(
                f"topic {topic} takes records up to {self.message_bytes} bytes "
                f"({MESSAGE_BYTES}), and up to {record_bytes} are sent: larger ones will be refused"
            )
        for name, limit in ((BEFORE_MS, self.before_ms), (AFTER_MS, self.after_ms)):
            if limit is not None and limit < CLOCK_SKEW_MS:
                found.append(
                    f"topic {topic} takes no record whose time is {limit} ms off ({name}): a "
                    "sender whose clock is not exact will be refused"
                )
        return found


async def read_topic_limits(
    arguments: Mapping[str, Any], topics: list[str]
) -> dict[str, TopicLimits]:
    """The limits of topics by name; without those that the broker does not describe."""
    wanted = {MESSAGE_BYTES: None, BEFORE_MS: None, AFTER_MS: None}
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic, wanted) for topic in topics]
    try:
        async with asyncio.timeout(DESCRIBE_SECONDS), admin_client(arguments) as admin:
            answers = await admin.describe_configs(resources)
    # It is for a warning alone: a service without the right to describe topics runs all the same.
    except (KafkaError, OSError):
        return {}
    found = {}
    for answer in answers:
        for code, _reason, _kind, topic, entries in answer.resources:
            if code == 0:
                values = {entry[0]: _number(entry[1]) for entry in entries}
                found[topic] = TopicLimits(
                    values.get(MESSAGE_BYTES), values.get(BEFORE_MS), values.get(AFTER_MS)
                )
    return found


def _number(text: str | None) -> int | None:
    return int(text) if text and text.lstrip("-").isdigit() else None
