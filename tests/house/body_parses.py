"""How often a feedback event's JSON is parsed before its window reaches data preparation."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any, Final

from archon_contracts.envelope import Envelope
from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import derived_id
from services.coordinator.feedback.records import FeedbackRow, parse_record
from services.coordinator.feedback.stats import StoredFeedback
from services.coordinator.retraining.window_export import feedback_lines
from services.gateway.feedback.body_parser import FEEDBACK
from shared.messaging.messages import RawRecord

PARSERS: Final = frozenset({"loads", "validate_json", "from_json", "scanner", "raw_decode"})
"""Names of what reads JSON: orjson's and json's functions, pydantic's and pydantic-core's."""
RECEIVED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def count_body_parses() -> dict[str, float]:
    """Parses of one correction on its two ways to data preparation.

    Over Kafka these are the coordinator's intake and the window's export; over HTTP the gateway
    parses the request too. Each way is run, and every call of a JSON parser is counted.
    """
    body = FeedbackReceived(
        agent_id="agent", interaction_id="one", input="hello", actual="a", expected="b"
    )
    payload = body.to_bytes()
    over_kafka = _count(lambda: _from_topic(payload))
    over_http = over_kafka + _count(lambda: FEEDBACK.read(payload))
    return {
        "parses of a feedback body, over Kafka": over_kafka,
        "parses of a feedback body, over HTTP": over_http,
    }


def _from_topic(payload: bytes) -> None:
    event_id = derived_id("house", "body parses")
    headers = Envelope(
        id=event_id,
        source="house",
        type=FeedbackReceived.message_type(),
        time=RECEIVED_AT,
        subject="agent",
    ).to_headers()
    row = parse_record(RawRecord("topic", 0, 0, b"agent", payload, tuple(headers)), len(payload))
    assert isinstance(row, FeedbackRow)
    stored = StoredFeedback(
        event_id=row.event_id,
        source=row.source,
        rating=row.rating,
        body=row.body,
        submitted_by=row.submitted_by,
        received_at=RECEIVED_AT,
    )
    assert feedback_lines([stored]).items == 1


def _count(act: Callable[[], object]) -> int:
    act()  # What is built at the first use is no part of it.
    with _calls_of_parsers() as calls:
        act()
    return calls.total()


@contextmanager
def _calls_of_parsers() -> Iterator[Counter[str]]:
    calls: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ in PARSERS:
            calls[called.__name__] += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(before)
