"""Which traffic is the system's own, by any one of five signs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from archon_contracts.base import Identifier
from archon_contracts.event_ids import with_purpose
from archon_contracts.events import FeedbackReceived
from archon_contracts.traffic_classes import (
    Mark,
    Purpose,
    purpose_in_baggage,
    purpose_in_id,
    system_interaction_id,
    system_mark,
    system_purpose,
)

SYSTEM = [purpose for purpose in Purpose if purpose is not Purpose.PRODUCTION]
FEEDBACK = FeedbackReceived(agent_id="picker", interaction_id="i-1", input="q", rating=4)


@pytest.mark.parametrize("purpose", SYSTEM)
def test_a_reserved_id_is_a_valid_identifier_that_says_its_purpose(purpose: Purpose) -> None:
    made = system_interaction_id(purpose, "suite", "a" * 500)

    assert TypeAdapter(Identifier).validate_python(made) == made
    assert purpose_in_id(made) == purpose
    assert made == system_interaction_id(purpose, "suite", "a" * 500)
    assert made != system_interaction_id(purpose, "suite", "b")


@pytest.mark.parametrize("own", ["i-1", "archon", "archon-1", "my/archon:x"])
def test_an_agents_own_id_says_nothing(own: str) -> None:
    assert purpose_in_id(own) == ""


@pytest.mark.parametrize(
    ("headers", "purpose", "subject", "expected"),
    [
        ({}, Purpose.SHADOW, "i-1", Mark("shadow", "body")),
        ({"ce_purpose": b"benchmark"}, None, "i-1", Mark("benchmark", "header")),
        ({"ce_purpose": b"test"}, Purpose.PRODUCTION, "i-1", Mark("test", "header")),
        ({}, None, "archon:evaluation:x", Mark("evaluation", "interaction")),
        ({}, None, "archon:newer:x", Mark("test", "interaction")),
        ({}, None, "archon:", Mark("test", "interaction")),
        ({"ce_source": b"archon/evaluator"}, None, "i-1", Mark("service", "source")),
        (
            {"ce_source": b"archon/gateway", "ce_causationid": b"x"},
            None,
            "i-1",
            Mark("service", "source"),
        ),
        ({"baggage": b"a=b, archon.purpose=shadow;p"}, None, "i-1", Mark("shadow", "baggage")),
        ({"baggage": b"archon.purpose=newer"}, None, "i-1", Mark("test", "baggage")),
    ],
)
def test_any_one_sign_is_enough(
    headers: dict[str, bytes | None], purpose: Purpose | None, subject: str, expected: Mark
) -> None:
    assert system_mark(headers, purpose, subject) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ce_purpose": b"production"},
        {"ce_purpose": b""},
        {"ce_purpose": None},
        {"ce_source": b"archon/gateway"},
        {"ce_source": b"agent/tool-picker", "ce_causationid": b"x"},
        {"ce_source": b"archonic/trainer"},
        {"baggage": b"userId=alice"},
        {"baggage": b"archon.purpose=production"},
        {"baggage": b"\xff\xfe"},
    ],
)
def test_production_has_no_sign(headers: dict[str, bytes | None]) -> None:
    assert system_mark(headers, None, "i-1") is None
    assert system_mark(headers, Purpose.PRODUCTION, "i-1") is None


@pytest.mark.parametrize("odd", [b"prod", b"\xff"])
def test_a_header_that_names_no_purpose_is_an_error_and_no_guess(odd: bytes) -> None:
    with pytest.raises(ValueError, match=r"prod|utf-8"):
        system_mark({"ce_purpose": odd}, None, "i-1")


@given(st.text(max_size=200))
def test_any_baggage_can_be_read(text: str) -> None:
    found = purpose_in_baggage(text)

    assert found in text
    system_purpose(found)


@given(st.sampled_from(SYSTEM), st.lists(st.none() | st.sampled_from(Purpose), max_size=3))
def test_no_surroundings_turn_a_system_event_into_production(
    own: Purpose, surroundings: list[Purpose | None]
) -> None:
    event = FEEDBACK.model_copy(update={"purpose": own})

    assert with_purpose(event, *surroundings).purpose is own


@given(st.sampled_from([None, Purpose.PRODUCTION]), st.sampled_from(SYSTEM))
def test_an_event_takes_the_purpose_of_its_surroundings(
    own: Purpose | None, around: Purpose
) -> None:
    event = FEEDBACK.model_copy(update={"purpose": own})

    assert with_purpose(event, None, Purpose.PRODUCTION, around).purpose is around


def test_in_production_an_event_is_sent_as_it_was() -> None:
    assert with_purpose(FEEDBACK, None, Purpose.PRODUCTION) is FEEDBACK
    assert b"purpose" not in FEEDBACK.to_bytes()
