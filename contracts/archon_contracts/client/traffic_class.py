"""The traffic_class that everything sent from here has, unless an event says its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from archon_contracts.traffic_classes import BAGGAGE_KEY, TrafficClass

try:
    from opentelemetry import baggage, context
except ModuleNotFoundError:
    INSTALLED = False
else:
    INSTALLED = True

_current: ContextVar[TrafficClass | None] = ContextVar("archon_traffic_class", default=None)


@contextmanager
def use_traffic_class(traffic_class: TrafficClass) -> Iterator[None]:
    """All that is sent within the block, by tasks begun in it too, is for this traffic_class.

    With OpenTelemetry installed, it travels to other processes in the W3C baggage of requests.
    """
    reset = _current.set(traffic_class)
    attached = (
        context.attach(baggage.set_baggage(BAGGAGE_KEY, traffic_class)) if INSTALLED else None
    )
    try:
        yield
    finally:
        if attached is not None:
            context.detach(attached)
        _current.reset(reset)


def current_traffic_class() -> TrafficClass | None:
    """The traffic_class of the block; None: production.

    Baggage of the request that is being handled is not read: whoever calls an agent could so keep
    its reports from counting. A process that trusts its callers passes what they say on with
    `use_traffic_class`.
    """
    return _current.get()
