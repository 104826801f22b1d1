"""No text of an audit entry outgrows a Kafka record."""

import hashlib

from shared.audit import MAX_TEXT, bound_text


def test_a_short_text_is_kept() -> None:
    assert bound_text("x" * MAX_TEXT) == "x" * MAX_TEXT


def test_a_long_text_is_named_by_its_beginning_length_and_digest() -> None:
    labels = str([f"label {n}" for n in range(115_000)])

    bounded = bound_text(labels)

    assert len(bounded) < MAX_TEXT
    assert bounded.startswith(labels[:100])
    assert f"{len(labels)} bytes" in bounded
    assert hashlib.sha256(labels.encode()).hexdigest() in bounded
