"""The purpose that everything sent from here has, unless an event says its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from archon_contracts.traffic_classes import BAGGAGE_KEY, Purpose, system_purpose

try:
    from opentelemetry import baggage, context
except ModuleNotFoundError:
    INSTALLED = False
else:
    INSTALLED = True

_acting: ContextVar[Purpose | None] = ContextVar("archon_purpose", default=None)


@contextmanager
def acting_as(purpose: Purpose) -> Iterator[None]:
    """All that is sent within the block, by tasks begun in it too, is for this purpose.

    With OpenTelemetry installed, it travels to other processes in the W3C baggage of requests.
    """
    reset = _acting.set(purpose)
    attached = context.attach(baggage.set_baggage(BAGGAGE_KEY, purpose)) if INSTALLED else None
    try:
        yield
    finally:
        if attached is not None:
            context.detach(attached)
        _acting.reset(reset)


def purpose_now() -> Purpose | None:
    """The purpose of the block or of the request that is being handled; None: production."""
    own = _acting.get()
    if own is not None or not INSTALLED:
        return own
    return system_purpose(str(baggage.get_baggage(BAGGAGE_KEY) or ""))
