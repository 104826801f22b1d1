"""Which traffic is the system's own, by any one of five signals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from archon_contracts.base import Identifier
from archon_contracts.event_ids import with_traffic_class
from archon_contracts.events import FeedbackReceived
from archon_contracts.traffic_classes import (
    InternalTraffic,
    TrafficClass,
    detect_internal_traffic,
    internal_interaction_id,
    parse_traffic_class,
    traffic_class_in_baggage,
    traffic_class_in_id,
)

SYSTEM = [
    traffic_class for traffic_class in TrafficClass if traffic_class is not TrafficClass.PRODUCTION
]
FEEDBACK = FeedbackReceived(agent_id="picker", interaction_id="i-1", input="q", rating=4)


@pytest.mark.parametrize("traffic_class", SYSTEM)
def test_a_reserved_id_is_a_valid_identifier_that_says_its_purpose(
    traffic_class: TrafficClass,
) -> None:
    made = internal_interaction_id(traffic_class, "suite", "a" * 500)

    assert TypeAdapter(Identifier).validate_python(made) == made
    assert traffic_class_in_id(made) == traffic_class
    assert made == internal_interaction_id(traffic_class, "suite", "a" * 500)
    assert made != internal_interaction_id(traffic_class, "suite", "b")


@pytest.mark.parametrize("own", ["i-1", "archon", "archon-1", "my/archon:x"])
def test_an_agents_own_id_says_nothing(own: str) -> None:
    assert traffic_class_in_id(own) == ""


@pytest.mark.parametrize(
    ("headers", "traffic_class", "subject", "expected"),
    [
        ({}, TrafficClass.SHADOW, "i-1", InternalTraffic("shadow", "body")),
        ({"ce_trafficclass": b"benchmark"}, None, "i-1", InternalTraffic("benchmark", "header")),
        (
            {"ce_trafficclass": b"test"},
            TrafficClass.PRODUCTION,
            "i-1",
            InternalTraffic("test", "header"),
        ),
        ({}, None, "archon:evaluation:x", InternalTraffic("evaluation", "interaction")),
        ({}, None, "archon:newer:x", InternalTraffic("test", "interaction")),
        ({}, None, "archon:", InternalTraffic("test", "interaction")),
        ({"ce_source": b"archon/evaluator"}, None, "i-1", InternalTraffic("service", "source")),
        (
            {"ce_source": b"archon/gateway", "ce_causationid": b"x"},
            None,
            "i-1",
            InternalTraffic("service", "source"),
        ),
    ],
)
def test_any_one_signal_is_enough(
    headers: dict[str, bytes | None],
    traffic_class: TrafficClass | None,
    subject: str,
    expected: InternalTraffic,
) -> None:
    assert detect_internal_traffic(headers, traffic_class, subject) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ce_trafficclass": b"production"},
        {"ce_trafficclass": b""},
        {"ce_trafficclass": None},
        {"ce_source": b"archon/gateway"},
        {"ce_source": b"agent/tool-picker", "ce_causationid": b"x"},
        {"ce_source": b"archonic/trainer"},
        {"baggage": b"userId=alice"},
        {"baggage": b"archon.traffic_class=test"},
        {"baggage": b"a=b, archon.traffic_class=shadow;p"},
        {"baggage": b"\xff\xfe"},
    ],
)
def test_production_has_no_sign(headers: dict[str, bytes | None]) -> None:
    assert detect_internal_traffic(headers, None, "i-1") is None
    assert detect_internal_traffic(headers, TrafficClass.PRODUCTION, "i-1") is None


@pytest.mark.parametrize("odd", [b"prod", b"\xff"])
def test_a_header_that_names_no_purpose_is_an_error_and_no_guess(odd: bytes) -> None:
    with pytest.raises(ValueError, match=r"prod|utf-8"):
        detect_internal_traffic({"ce_trafficclass": odd}, None, "i-1")


@given(st.text(max_size=200))
def test_any_baggage_can_be_read(text: str) -> None:
    found = traffic_class_in_baggage(text)

    assert found in text
    parse_traffic_class(found)


@given(st.sampled_from(SYSTEM), st.lists(st.none() | st.sampled_from(TrafficClass), max_size=3))
def test_no_surroundings_turn_a_system_event_into_production(
    own: TrafficClass, surroundings: list[TrafficClass | None]
) -> None:
    event = FEEDBACK.model_copy(update={"traffic_class": own})

    assert with_traffic_class(event, *surroundings).traffic_class is own


@given(st.sampled_from([None, TrafficClass.PRODUCTION]), st.sampled_from(SYSTEM))
def test_an_event_takes_the_purpose_of_its_surroundings(
    own: TrafficClass | None, around: TrafficClass
) -> None:
    event = FEEDBACK.model_copy(update={"traffic_class": own})

    assert with_traffic_class(event, None, TrafficClass.PRODUCTION, around).traffic_class is around


def test_in_production_an_event_is_sent_as_it_was() -> None:
    assert with_traffic_class(FEEDBACK, None, TrafficClass.PRODUCTION) is FEEDBACK
    assert b"traffic_class" not in FEEDBACK.to_bytes()
