"""One definition of storable JSON: what a door accepts is written to the window unchanged."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archon_contracts.events import AnnotationSubmitted, FeedbackReceived
from archon_contracts.formats import TrainingItem
from archon_contracts.rules.json_values import MAX_DEPTH
from archon_contracts.values import AgentProfile
from deploy.cli.commands.feedback import _json
from services.coordinator.feedback.records import FeedbackRow, parse_record
from services.coordinator.feedback.stats import StoredFeedback
from services.coordinator.retraining.window_export import feedback_lines
from services.data_prep.sources.records import read_source
from services.gateway.errors import Invalid, MalformedBody
from services.gateway.feedback.body_parser import FEEDBACK
from shared.errors import PermanentError
from shared.messaging.messages import RawRecord

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEADERS = (("ce_type", FeedbackReceived.message_type().encode()),)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.text(max_size=6)
    | st.text(st.characters(), max_size=4)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def body_of(value: Any, answer: Any) -> bytes:
    """An event as a sender without our client may write it."""
    fields = {"agent_id": "a", "interaction_id": "i", "input": value, "expected": answer}
    return json.dumps({**fields, "rating": 3}).encode()


def accepted(body: bytes) -> tuple[bool, FeedbackRow | None]:
    """What the HTTP door says, and what the door of Kafka makes of it."""
    try:
        row = parse_record(RawRecord("t", 0, 0, None, body, HEADERS), 10**6)
    except PermanentError:
        row = None
    try:
        FEEDBACK.read(body)
    except (Invalid, MalformedBody):
        return False, row  # type: ignore[return-value]  # of this type only feedback is made
    return True, row  # type: ignore[return-value]  # as above


@given(VALUES, VALUES)
def test_what_the_doors_accept_is_written_to_the_window(value: Any, answer: Any) -> None:
    by_http, row = accepted(body_of(value, answer))

    if by_http:
        assert row is not None
    if row is not None and value not in ("", [], {}):
        lines = feedback_lines([StoredFeedback(UUID(int=1), "user", 3.0, NOON, row.body)])
        assert lines.items == 1
        source = read_source(lines.content.splitlines(keepends=True), "feedback")  # type: ignore[arg-type]
        assert (len(source.records), source.unreadable) == (1, {})


@pytest.mark.parametrize(
    "value",
    [
        340434161094042557123,
        -(2**63) - 1,
        {"parcel": 2**63},
        [2**64],
        float("nan"),
        [float("inf")],
        "a\0b",
        {"a\0": 1},
        ["\ud800"],
        json.loads("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)),
    ],
)
def test_what_cannot_be_stored_is_refused_at_every_door(value: Any) -> None:
    assert accepted(body_of(value, "x")) == (False, None)
    with pytest.raises(ValidationError):
        FeedbackReceived(agent_id="a", interaction_id="i", input=value, rating=3)
    with pytest.raises(ValidationError):
        AnnotationSubmitted(agent_id="a", item_id="i", annotator_id="x", input="q", label=value)


@pytest.mark.parametrize("field", ["rating", "reward"])
def test_a_boolean_is_no_number(field: str) -> None:
    with pytest.raises(ValidationError):
        FeedbackReceived(agent_id="a", interaction_id="i", input="q", **{field: True})
    with pytest.raises(ValidationError):
        TrainingItem.model_validate({"input": "q", field: True})


@pytest.mark.parametrize(
    "typed", ["340434161094042557123", "12", "true", "null", "NaN", "1e5", "{a"]
)
def test_words_typed_at_the_command_line_stay_text(typed: str) -> None:
    assert _json(typed) == typed


def test_objects_and_quoted_text_at_the_command_line_are_json() -> None:
    assert _json('{"a": [1]}') == {"a": [1]}
    assert _json('"12"') == "12"


@pytest.mark.parametrize("name", ["team/helpdesk", "a/", "../a", "_a", "a+b", ""])
def test_a_name_that_no_url_or_key_could_hold_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        AgentProfile(agent_id=name, kind="generator", base_model="pypi:m")
    with pytest.raises(ValidationError):
        FeedbackReceived(agent_id="a", tenant_id=name, interaction_id="i", input="q", rating=3)


@pytest.mark.parametrize("made", ["_V1StGXR8", "-abc", "a+b/c==", "+x", "/9j/4AAQ", "=", "~a"])
def test_ids_of_common_generators_are_accepted(made: str) -> None:
    event = FeedbackReceived(agent_id="a", interaction_id=made, unit_id=made, input="q", rating=3)

    assert (event.interaction_id, event.unit_id) == (made, made)


@pytest.mark.parametrize(
    "label", ["bug ", " bug", "Entsch\u0061\u0308digung", "\u1112\u1161\u11ab"]
)
def test_labels_and_answers_have_one_normal_form(label: str) -> None:
    profile = AgentProfile(agent_id="a", kind="classifier", base_model="pypi:m", labels=(label,))
    item = TrainingItem(input="q", target=label, actual=label, rejected=(label,))

    assert {item.target, item.actual, *item.rejected} == set(profile.labels)
