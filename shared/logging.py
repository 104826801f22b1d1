"""structlog set-up: one JSON object a line on stderr, the event name in snake_case."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

import structlog
from opentelemetry import trace

from archon_contracts.client.log_rate_limit import limit_library_logs

EventDict = MutableMapping[str, Any]
# Muted during the start; the levels they have from then on.
_MUTED_AT_START: Final = {"aiokafka": logging.ERROR, "asyncio": logging.WARNING}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def configure_logging(
    service: str, level: str, sink: Callable[[Mapping[str, Any]], None] | None = None
) -> None:
    """Set up logging of this process once; `sink` also gets each line's fields."""
    threshold = logging.getLevelNamesMapping()[level]

    def also_to_sink(_logger: Any, _method: str, event: EventDict) -> EventDict:
        if sink is not None:
            sink(dict(event))
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_trace,
            _add_service(service),
            # Before the sink, whose lines are stored as JSON: a stack has no form there
            # but its text.
            structlog.processors.format_exc_info,
            also_to_sink,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries speak up only when something is wrong, and then not with a line per try.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    limit_library_logs()
    # It warns at every start that it may not create topics, which is just what we want.
    logging.getLogger("archon.faststream").setLevel(logging.ERROR)
    # They write lines per try (the loop for a TLS connection that breaks); who waits for Kafka at
    # start says so in one sentence at the end.
    for name in _MUTED_AT_START:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def restore_library_log_levels() -> None:
    """The start is over: from now on a lost connection is news."""
    for name, level in _MUTED_AT_START.items():
        logging.getLogger(name).setLevel(level)
    limit_library_logs()  # some of their modules may have been imported meanwhile


def _add_service(service: str) -> Callable[[Any, str, EventDict], EventDict]:
    def add(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _add_trace(_logger: Any, _method: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = format(context.trace_id, "032x")
        event["span_id"] = format(context.span_id, "016x")
    return event
