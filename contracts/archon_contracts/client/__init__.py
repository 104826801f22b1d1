"""Clients for agents and downstream services.

A name is loaded when it is first used, so that a user of one client needs that one's library only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archon_contracts.client.http import HttpFeedbackClient
    from archon_contracts.client.idle_fetch import pace_idle_fetches
    from archon_contracts.client.kafka import KafkaFeedbackClient
    from archon_contracts.client.sdk.asynchronous.client import AsyncArchon
    from archon_contracts.client.sdk.recording.decorator import current_interaction, use_unit
    from archon_contracts.client.sdk.synchronous.client import Archon
    from archon_contracts.client.security import KafkaSecurity
    from archon_contracts.client.subscription import ReceivedEvent, UnreadableRecord, subscribe
    from archon_contracts.client.traffic_class import use_traffic_class

__all__ = [
    "Archon",
    "AsyncArchon",
    "HttpFeedbackClient",
    "KafkaFeedbackClient",
    "KafkaSecurity",
    "ReceivedEvent",
    "UnreadableRecord",
    "current_interaction",
    "pace_idle_fetches",
    "subscribe",
    "use_traffic_class",
    "use_unit",
]

_MODULES = {
    "Archon": "sdk.synchronous.client",
    "AsyncArchon": "sdk.asynchronous.client",
    "current_interaction": "sdk.recording.decorator",
    "use_unit": "sdk.recording.decorator",
    "HttpFeedbackClient": "http",
    "KafkaFeedbackClient": "kafka",
    "KafkaSecurity": "security",
    "ReceivedEvent": "subscription",
    "UnreadableRecord": "subscription",
    "use_traffic_class": "traffic_class",
    "pace_idle_fetches": "idle_fetch",
    "subscribe": "subscription",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
