"""Feedback bodies: forms, refusals that name index and field, deterministic ids."""

import json
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from archon_contracts.event_ids import event_id_of
from archon_contracts.events import FeedbackReceived, FeedbackRetracted
from archon_contracts.traffic_classes import TrafficClass
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.errors import Invalid, MalformedBody, NotAllowed, TooLarge
from services.gateway.feedback.body_parser import (
    FEEDBACK,
    RETRACTIONS,
    OutgoingEvent,
    estimate_rejected_events,
    prepare,
)
from services.gateway.http.field_limit import MAX_UNCHECKED_FIELDS

CALLER = Caller("acme", "agent", frozenset({Scope.FEEDBACK}), UUID(int=1))
EVENT = {"agent_id": "picker", "interaction_id": "i-1", "input": "q", "rating": 4}


def read(body: object) -> list[FeedbackReceived]:
    return FEEDBACK.read(json.dumps(body).encode())


def prepared(
    events: list[FeedbackReceived], key: str = "", limit: int = 10_000
) -> list[OutgoingEvent]:
    return prepare(events, caller=CALLER, idempotency_key=key, limit=limit)


@pytest.mark.parametrize("body", [EVENT, [EVENT], {"events": [EVENT]}])
def test_one_event_an_array_and_a_batch_read_the_same(body: object) -> None:
    assert read(body) == [FeedbackReceived(**EVENT)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**EVENT, "rating": 9}, "rating"),
        ([EVENT, {**EVENT, "rating": 9}], "[1].rating"),
        ({"events": [EVENT, EVENT, {**EVENT, "agent_id": "no spaces"}]}, "events[2].agent_id"),
        ({"events": [{"agent_id": "a"}]}, "events[0].interaction_id"),
    ],
)
def test_an_invalid_event_is_named_by_index_and_field(body: object, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(body)

    assert refused.value.errors[0].field == field
    assert refused.value.errors[0].rule


def test_a_misspelt_field_is_refused_instead_of_losing_a_correction() -> None:
    with pytest.raises(Invalid) as refused:
        read({**EVENT, "expeced": "x"})

    assert [(e.field, e.rule) for e in refused.value.errors] == [("expeced", "extra_forbidden")]


def test_an_event_without_feedback_is_refused() -> None:
    with pytest.raises(Invalid, match="at least one of expected, rating, reward"):
        read([{**EVENT, "rating": None}])


def test_a_refusal_never_repeats_the_input() -> None:
    with pytest.raises(Invalid) as refused:
        read({**EVENT, "rating": "secret" * 1000})

    assert "secret" not in str(refused.value)


def test_at_most_twenty_errors_are_reported() -> None:
    with pytest.raises(Invalid) as refused:
        read({**EVENT, **{f"typo-{number}": 1 for number in range(50)}})

    assert len(refused.value.errors) == 20


@pytest.mark.parametrize("form", [lambda e: e, lambda e: {"events": e}])
def test_a_request_brings_ten_thousand_events_at_most(form: Callable[[object], object]) -> None:
    assert len(read(form([EVENT] * 10_000))) == 10_000

    with pytest.raises(Invalid) as refused:
        read(form([EVENT] * 10_001))

    assert [e.rule for e in refused.value.errors] == ["too_long"]


def test_the_first_wrong_event_of_a_batch_ends_its_reading() -> None:
    with pytest.raises(Invalid) as refused:
        read([EVENT] + [{**EVENT, "rating": 9}] * 500)

    assert [e.field for e in refused.value.errors] == ["[1].rating"]


@pytest.mark.parametrize("form", [lambda e: e, lambda e: [EVENT, e], lambda e: {"events": [e]}])
def test_too_many_fields_are_refused_before_validation(
    form: Callable[[object], object],
) -> None:
    event = EVENT | dict.fromkeys(map(str, range(MAX_UNCHECKED_FIELDS)), 1)

    with pytest.raises(Invalid) as refused:
        read(form(event))

    assert [e.rule for e in refused.value.errors] == ["too_many_fields"]
    assert refused.value.__cause__ is None  # pydantic was not asked


def test_fields_inside_an_event_are_not_limited() -> None:
    context = dict.fromkeys(map(str, range(MAX_UNCHECKED_FIELDS + 1)), 1)

    assert read([{**EVENT, "context": context}])[0].context == context


@pytest.mark.parametrize(
    ("body", "cost"), [(b"", 1), (b"{}", 1), (b"[{},{},{}]", 3), (b"{" + b'"a":1,' * 500, 50)]
)
def test_a_refused_body_counts_for_the_events_that_it_could_have_held(
    body: bytes, cost: int
) -> None:
    assert estimate_rejected_events(body) == cost


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"events": []}', b"\xff\xfe", b'{"events": [{"rating": NaN}]}']
)
def test_a_body_without_readable_events_is_malformed(body: bytes) -> None:
    with pytest.raises((MalformedBody, Invalid)):
        FEEDBACK.read(body)


def test_nan_is_refused_at_any_depth() -> None:
    body = json.dumps({**EVENT, "context": {"score": float("nan")}}).encode()

    with pytest.raises(MalformedBody, match="NaN is not a JSON value"):
        FEEDBACK.read(body)


def test_a_text_that_contains_nan_is_accepted() -> None:
    assert read({**EVENT, "input": "NaN and Infinity"})[0].input == "NaN and Infinity"


def test_a_nul_character_is_refused_and_its_spelling_is_not() -> None:
    with pytest.raises(MalformedBody, match="NUL"):
        read({**EVENT, "input": "a\x00b"})

    assert read({**EVENT, "input": r"a\u0000b"})[0].input == r"a\u0000b"


def test_an_event_without_a_key_has_the_id_of_what_it_says() -> None:
    events = read([EVENT])

    again = prepared(read([EVENT]))

    expected = event_id_of(events[0].model_copy(update={"tenant_id": "acme"}), CALLER.submitter)
    assert [event.id for event in again] == [expected]


def test_the_same_request_under_the_same_key_has_the_same_ids() -> None:
    events = [EVENT, {**EVENT, "interaction_id": "i-2"}]

    first, again, other = (prepared(read(events), key=key) for key in ("k", "k", "other"))

    assert [event.id for event in again] == [event.id for event in first]
    assert {event.id for event in other}.isdisjoint(event.id for event in first)


@pytest.mark.parametrize(
    "fields", [{"interaction_id": "i-2"}, {"agent_id": "other"}, {"source": "expert"}]
)
def test_other_feedback_under_a_used_key_has_an_id_of_its_own(fields: dict[str, str]) -> None:
    (first,) = prepared(read([EVENT]), key="k")

    (second,) = prepared(read([EVENT | fields]), key="k")

    assert second.id != first.id


def test_a_retraction_under_the_key_of_feedback_has_its_own_id() -> None:
    (rated,) = prepared(read([EVENT]), key="k")
    body = {"agent_id": "picker", "interaction_id": "i-1", "reason": "asked for"}
    retraction = RETRACTIONS.read(json.dumps(body).encode())

    (withdrawn,) = prepare(retraction, caller=CALLER, idempotency_key="k", limit=10_000)

    assert withdrawn.id != rated.id


def test_the_tenant_is_never_taken_from_the_body() -> None:
    (event,) = prepared(read([{**EVENT, "tenant_id": "somebody-else"}]))

    assert event.body.tenant_id == "acme"
    assert json.loads(event.payload)["tenant_id"] == "acme"


def test_an_event_too_large_for_a_record_is_refused_by_index() -> None:
    events = read([EVENT, {**EVENT, "input": "x" * 5_000}])

    with pytest.raises(TooLarge, match=r"event \[1\]"):
        prepared(events, limit=2_000)


def test_the_traffic_class_of_a_request_applies_to_all_of_its_events() -> None:
    events = [
        FeedbackReceived(**EVENT),
        FeedbackReceived(**EVENT, traffic_class=TrafficClass.SHADOW),
    ]

    made = prepare(
        events,
        caller=CALLER,
        idempotency_key="",
        limit=10_000,
        traffic_class=TrafficClass.BENCHMARK,
    )

    assert [each.body.traffic_class for each in made] == [
        TrafficClass.BENCHMARK,
        TrafficClass.SHADOW,
    ]
    assert b'"traffic_class":"benchmark"' in made[0].payload


def test_another_key_cannot_use_up_the_id_of_what_a_key_says() -> None:
    events = read([EVENT])
    other = replace(CALLER, key_id=UUID(int=2))

    (own,) = prepared(events)
    (foreign,) = prepare(events, caller=other, idempotency_key="", limit=10_000)

    assert own.id != foreign.id
    assert (own.submitted_by, foreign.submitted_by) == (CALLER.submitter, other.submitter)


def test_other_content_under_a_reused_key_is_not_taken_for_a_repetition() -> None:
    first, second = (prepared(read([{**EVENT, "rating": n}]), key="k")[0] for n in (1, 5))

    assert first.id != second.id


def retract(caller: Caller, **fields: str) -> FeedbackRetracted:
    body = {"agent_id": "picker", "interaction_id": "i-1", **fields}
    events = RETRACTIONS.read(json.dumps(body).encode())
    (event,) = prepare(events, caller=caller, idempotency_key="", limit=10_000)
    assert isinstance(event.body, FeedbackRetracted)
    return event.body


def test_a_feedback_key_retracts_its_own_feedback_only() -> None:
    assert retract(CALLER).submitted_by == CALLER.submitter
    for other in ("*", "key:another"):
        with pytest.raises(NotAllowed, match=r"\[0\].submitted_by"):
            retract(CALLER, submitted_by=other)


@pytest.mark.parametrize("scope", [Scope.ANNOTATE, Scope.WRITE])
def test_a_trusted_key_retracts_what_any_key_gave(scope: Scope) -> None:
    trusted = replace(CALLER, scopes=frozenset({Scope.FEEDBACK, scope}))

    assert retract(trusted).submitted_by == "*"
    assert retract(trusted, submitted_by="key:another").submitted_by == "key:another"
