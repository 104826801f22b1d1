"""The traffic_class that everything sent from here has, unless an event says its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from archon_contracts.traffic_classes import BAGGAGE_KEY, TrafficClass, parse_traffic_class

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
    """The traffic_class of the block or of the request that is being handled; None: production."""
    own = _current.get()
    if own is not None or not INSTALLED:
        return own
    return parse_traffic_class(str(baggage.get_baggage(BAGGAGE_KEY) or ""))
