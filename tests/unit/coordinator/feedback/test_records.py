"""Feedback records, each read by itself."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.base import Contract
from archon_contracts.events import (
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    InteractionLogged,
)
from archon_contracts.identifiers import derived_id, feedback_event_id, new_id
from archon_contracts.traffic_classes import TrafficClass
from services.coordinator.domain import AgentKey
from services.coordinator.errors import NotVouchedFor, OversizedFeedback
from services.coordinator.feedback.records import (
    FeedbackBatch,
    FeedbackRow,
    InteractionRow,
    InternalRecord,
    RetractionRow,
    parse_record,
    split_at_retractions,
)
from shared.errors import UnknownMessageType, UnreadableMessage
from shared.messaging.gateway_mac import MAC_HEADER, GatewayMac
from shared.messaging.messages import RawRecord
from tests.support.coordinator.coordinator import AGENT, feedback, record_of, retracted

LIMIT = 10_000
CONTEXT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def read(record: RawRecord) -> FeedbackRow:
    """A record that holds a row."""
    item = parse_record(record, LIMIT)
    assert isinstance(item, FeedbackRow)
    return item


def test_feedback_keeps_its_body_as_received() -> None:
    body = feedback("i1", rating=2.5)

    row = read(record_of(body, traceparent=CONTEXT))

    assert row.body == body.to_bytes()
    assert (row.key, row.interaction_id) == (("default", AGENT), "i1")
    assert (row.rating, row.traceparent) == (2.5, CONTEXT.decode())


def test_feedback_names_the_weights_that_answered_and_how_good_the_answer_was() -> None:
    body = feedback("i1", rating=2.0).model_copy(
        update={"model_version": "1.0.0", "model_digest": "d" * 64, "expected": None}
    )

    row = read(record_of(body))

    assert (row.model_version, row.model_digest, row.outcome) == ("1.0.0", "d" * 64, 0.25)


def test_answers_of_a_shadow_are_no_feedback() -> None:
    body = feedback("i1", rating=2.0).model_copy(update={"traffic_class": TrafficClass.SHADOW})

    assert isinstance(parse_record(record_of(body), LIMIT), InternalRecord)


def test_a_uuid_in_any_spelling_is_the_events_id() -> None:
    event_id = UUID("0af76519-16cd-43dd-8448-eb211c80319c")

    for spelling in (str(event_id), event_id.hex, str(event_id).upper(), f"{{{event_id}}}"):
        assert read(record_of(feedback("i1"), ce_id=spelling.encode())).event_id == event_id


def test_another_text_as_id_is_mapped_together_with_its_source() -> None:
    record = record_of(feedback("i1"), ce_id=b"order 7", ce_source=b"shop")

    assert read(record).event_id == derived_id("event", "shop", "order 7")


def test_feedback_without_an_id_gets_one_per_interaction_and_source() -> None:
    event_id = read(record_of(feedback("i1", source="expert"), ce_id=b"")).event_id

    assert event_id == feedback_event_id("default", AGENT, "i1", "expert")


def test_header_names_may_be_written_in_capitals() -> None:
    record = record_of(feedback("i1"))
    loud = tuple((name.upper(), value) for name, value in record.headers)

    assert parse_record(
        RawRecord(record.topic, 0, 0, None, record.value, loud), LIMIT
    ) == parse_record(record, LIMIT)


@pytest.mark.parametrize("context", [b"", b"nonsense", CONTEXT + b"\x00", b"\xff" * 55])
def test_a_malformed_context_is_no_context(context: bytes) -> None:
    assert read(record_of(feedback("i1"), traceparent=context)).traceparent is None


@pytest.mark.parametrize(
    ("fields", "correct"),
    [
        ({"actual": "right"}, True),
        ({"actual": "wrong", "rating": 5}, False),
        ({"expected": None, "rating": 4}, True),
        ({"expected": None, "rating": 3.9}, False),
        ({"expected": None, "reward": 0.1}, True),
        ({"expected": None, "reward": -0.1}, False),
        # Behaviour is weighed by data preparation; counted here, it would be as good as a word.
        ({"expected": None, "signals": [{"kind": "undone", "after_seconds": 1}]}, None),
        ({"expected": None, "shown": ["wrong", "right"]}, None),
    ],
)
def test_an_answer_is_right_if_its_feedback_says_so(
    fields: dict[str, object], correct: bool | None
) -> None:
    assert read(record_of(feedback("i1", **fields))).correct is correct


def test_types_that_other_topics_carry_are_refused_by_name() -> None:
    record = record_of(feedback("i1"), ce_type=b"archon.TrainModel.v1")

    with pytest.raises(UnknownMessageType, match=r"archon\.TrainModel\.v1"):
        parse_record(record, LIMIT)


def test_a_refusal_names_the_field_and_never_shows_the_content() -> None:
    body = b'{"agent_id": "picker", "interaction_id": "i1", "input": "secret", "rating": 9}'
    record = RawRecord("t", 0, 0, None, body, record_of(feedback("i1")).headers)

    with pytest.raises(UnreadableMessage) as refusal:
        parse_record(record, LIMIT)

    assert "rating" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_body_above_the_limit_is_refused() -> None:
    with pytest.raises(OversizedFeedback, match="10 bytes, 9 are allowed"):
        parse_record(RawRecord("t", 0, 0, None, b"x" * 10, record_of(feedback("i1")).headers), 9)


def test_retractions_and_interactions_are_distinguished() -> None:
    withdrawn = FeedbackRetracted(agent_id=AGENT, interaction_id="i1", reason="mistake")
    answered = InteractionLogged(agent_id=AGENT, interaction_id="i1", input="what?")

    assert isinstance(parse_record(record_of(withdrawn), LIMIT), RetractionRow)
    assert isinstance(parse_record(record_of(answered), LIMIT), InteractionRow)


def test_a_bad_record_decides_for_no_other() -> None:
    good = record_of(feedback("i1"))
    bad = RawRecord("t", 0, 0, None, b"{", good.headers)
    batch = FeedbackBatch()

    batch.parse([good, bad, good], maximum_bytes=LIMIT)

    assert [record for record, _ in batch.items] == [good, good]
    assert [record for record, _ in batch.rejected] == [bad]


def test_runs_end_at_retractions_only() -> None:
    row = read(record_of(feedback("i1")))
    withdrawn = parse_record(
        record_of(FeedbackRetracted(agent_id=AGENT, interaction_id="i1")), LIMIT
    )
    answered = parse_record(
        record_of(InteractionLogged(agent_id=AGENT, interaction_id="i2", input="what?")), LIMIT
    )

    runs = list(split_at_retractions([row, answered, row, withdrawn, row]))

    assert [len(run.feedback) for run in runs] == [2, 1]
    assert [len(run.interactions) for run in runs] == [1, 0]
    assert [run.retractions for run in runs] == [[withdrawn], []]


def test_retractions_that_follow_each_other_are_applied_together() -> None:
    key = AgentKey("default", AGENT)
    one, two = (RetractionRow(key, UUID(int=n), f"i{n}", "user", "", "mine") for n in (1, 2))
    others = [
        two._replace(submitted_by="theirs"),
        two._replace(source="guardrail"),
        two._replace(annotator_id="a"),
        two._replace(key=AgentKey("acme", AGENT)),
    ]

    runs = list(split_at_retractions([one, two, one, *others]))

    # One look at all unused feedback each: ten thousand that name nothing held everybody up.
    assert [run.retractions for run in runs] == [[one, two, one], *([each] for each in others)]


headers = st.lists(
    st.tuples(
        st.sampled_from(["ce_type", "ce_id", "traceparent", "odd"]),
        st.none() | st.binary(max_size=60) | st.just(FeedbackReceived.message_type().encode()),
    ),
    max_size=5,
).map(tuple)


@given(headers, st.none() | st.binary(max_size=80) | st.just(feedback("i1").to_bytes()))
def test_any_record_is_either_read_or_refused_for_good(
    given_headers: tuple[tuple[str, bytes | None], ...], value: bytes | None
) -> None:
    batch = FeedbackBatch()

    batch.parse([RawRecord("t", 0, 0, None, value, given_headers)], maximum_bytes=LIMIT)

    assert len(batch.items) + len(batch.rejected) == 1
    assert all(str(reason) for _, reason in batch.rejected)
    assert all(item.key == ("default", AGENT) for _, item in batch.items)


marks = st.fixed_dictionaries(
    {},
    optional={
        "ce_trafficclass": st.sampled_from([b"", b"production", b"shadow", b"test"]),
        "ce_source": st.sampled_from([b"agent/x", b"archon/evaluator", b"archon/gateway"]),
        "ce_causationid": st.just(b"cause"),
        "baggage": st.sampled_from(
            [b"a=b", b"archon.traffic_class=test", b"archon.traffic_class=production"]
        ),
    },
)


@given(marks, st.none() | st.sampled_from(TrafficClass), st.sampled_from(["i1", "archon:test:x"]))
def test_a_record_is_an_item_only_if_it_has_no_sign_of_the_system(
    given_marks: dict[str, bytes | None], traffic_class: TrafficClass | None, interaction: str
) -> None:
    item = parse_record(
        record_of(feedback(interaction, traffic_class=traffic_class), **given_marks), LIMIT
    )

    signals = [
        traffic_class not in (None, TrafficClass.PRODUCTION),
        given_marks.get("ce_trafficclass", b"") not in (b"", b"production"),
        interaction.startswith("archon:"),
        given_marks.get("ce_source") == b"archon/evaluator",
        given_marks.get("ce_source") == b"archon/gateway" and "ce_causationid" in given_marks,
    ]
    assert isinstance(item, InternalRecord) is any(signals)


@pytest.mark.parametrize("headers", [{"ce_id": b"42"}, {"ce_id": b"42", "ce_source": b"one"}])
def test_an_id_that_is_no_uuid_is_of_its_source_or_of_what_it_names(
    headers: dict[str, bytes],
) -> None:
    other = {**headers, "ce_source": b"two"} if "ce_source" in headers else headers

    first = parse_record(record_of(feedback("i1"), **headers), LIMIT)
    second = parse_record(record_of(feedback("i2"), **other), LIMIT)
    again = parse_record(record_of(feedback("i1"), **headers), LIMIT)

    assert first.event_id == again.event_id != second.event_id


def test_the_submitter_is_the_key_that_the_gateway_names_or_else_the_source() -> None:
    sources = (
        {"ce_source": b"archon/gateway", "ce_submittedby": b"key:1"},
        {"ce_source": b"agent/x"},
    )

    rows = [parse_record(record_of(feedback("i1"), **headers), LIMIT) for headers in sources]

    assert [row.submitted_by for row in rows] == ["key:1", "agent/x"]


def test_a_retraction_concerns_its_sender_unless_it_names_another() -> None:
    own = parse_record(record_of(retracted("i1"), ce_source=b"agent/x"), LIMIT)
    other = parse_record(record_of(retracted("i1", submitted_by="*"), ce_source=b"agent/x"), LIMIT)

    assert [own.submitted_by, other.submitted_by] == ["agent/x", "*"]


MAC = GatewayMac("ab" * 32)
SCOPED = [
    feedback("i1", source="expert"),
    feedback("i1", source="environment"),
    retracted("i1", source="expert"),
    retracted("i1", submitted_by="*"),
    retracted("i1", submitted_by="key:1"),
    retracted("i1", annotator_id="ann"),
    AnnotationSubmitted(agent_id="a", item_id="i", annotator_id="ann", input="q", label="l"),
]


@pytest.mark.parametrize("body", SCOPED)
def test_what_needs_a_scope_is_refused_without_the_gateways_proof(body: Contract) -> None:
    with pytest.raises(NotVouchedFor, match="over HTTP"):
        parse_record(record_of(body, ce_source=b"agent/x"), LIMIT, MAC)


@pytest.mark.parametrize("body", SCOPED)
def test_what_needs_a_scope_is_taken_with_the_gateways_proof(body: Contract) -> None:
    key, event_id = b"key:1", str(new_id()).encode()
    mac = MAC.compute(event_id, key, body.to_bytes())
    headers = {"ce_id": event_id, "ce_submittedby": key, MAC_HEADER: mac}

    parse_record(record_of(body, **headers), LIMIT, MAC)


def test_the_name_of_another_key_is_refused_without_the_gateways_proof() -> None:
    with pytest.raises(NotVouchedFor, match="ce_submittedby"):
        parse_record(record_of(feedback("i1"), ce_submittedby=b"key:1"), LIMIT, MAC)


@pytest.mark.parametrize("changed", ["ce_id", "ce_submittedby", "body"])
def test_a_proof_is_of_one_record_alone(changed: str) -> None:
    headers = {"ce_id": str(new_id()).encode(), "ce_submittedby": b"key:1"}
    body = feedback("i1", source="expert")
    mac = MAC.compute(headers["ce_id"], headers["ce_submittedby"], body.to_bytes())
    if changed == "body":
        body = feedback("i2", source="expert")
    else:
        headers[changed] = str(new_id()).encode()

    with pytest.raises(NotVouchedFor):
        parse_record(record_of(body, **headers, **{MAC_HEADER: mac}), LIMIT, MAC)


def test_feedback_of_a_user_needs_no_proof() -> None:
    own = retracted("i1")

    parse_record(record_of(feedback("i1"), ce_source=b"agent/x"), LIMIT, MAC)
    parse_record(record_of(own, ce_source=b"agent/x"), LIMIT, MAC)


def test_two_statements_on_one_interaction_under_one_number_without_a_source_are_two() -> None:
    first, second = feedback("i1", rating=1), feedback("i1", rating=5)

    ids = [
        parse_record(record_of(each, ce_id=b"42", ce_source=None), LIMIT).event_id
        for each in (first, second, first)
    ]

    assert ids[0] == ids[2] != ids[1]
