"""The intake: acknowledged or refused, one record per event, one context per request."""

import asyncio
from datetime import UTC, datetime

import pytest
import structlog
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    OutOfOrderSequenceNumber,
    TopicAuthorizationFailedError,
)
from aiokafka.partitioner import DefaultPartitioner

from archon_contracts.envelope import HeaderView
from archon_contracts.events import FeedbackReceived
from archon_contracts.topics import FEEDBACK
from archon_contracts.traffic_classes import TrafficClass
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.errors import (
    Invalid,
    NotAllowed,
    Overloaded,
    ProducerUnavailable,
    TooLarge,
)
from services.gateway.feedback.body_parser import OutgoingEvent, prepare
from services.gateway.feedback.producer import FeedbackProducer
from services.gateway.load.load_shedding import InFlightLimit
from shared.kafka import producer as producer_module
from shared.kafka.connections import ConnectionStates
from shared.kafka.producer import HealingProducer
from shared.kafka.topic_limits import TopicLimits
from tests.support.clocks import SetClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Producer:
    """A producer in memory, which acknowledges unless set otherwise."""

    def __init__(
        self, *, acknowledges: bool = True, starts: bool = True, hangs: bool = False
    ) -> None:
        self._acknowledges, self._starts, self._hangs = acknowledges, starts, hangs
        self.fault: BaseException | None = None
        self.retried_error: BaseException | None = None
        self.answer: BaseException | None = None
        self.sent: list[dict[str, object]] = []
        self.stopped = False

    async def start(self) -> None:
        if self._hangs:
            await asyncio.Event().wait()
        if not self._starts:
            raise KafkaConnectionError

    async def stop(self) -> None:
        self.stopped = True

    async def partitions_for(self, _topic: str) -> set[int]:
        return set(range(12))

    async def send(self, _topic: str, **fields: object) -> asyncio.Future[None]:
        self.sent.append(fields)
        acknowledged = asyncio.get_running_loop().create_future()
        if self.answer is not None:
            acknowledged.set_exception(self.answer)
        elif self._acknowledges:
            acknowledged.set_result(None)
        return acknowledged

    def die(self) -> None:
        self.fault = KafkaError("its sender has ended")


@pytest.fixture(autouse=True)
def _close_scripted_producers(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have none of the parts that a real one is closed by."""

    async def close(producer: Producer, **_: object) -> None:
        await producer.stop()

    monkeypatch.setattr(producer_module, "abandon", close)


CALLER = Caller("t", "agent", frozenset({Scope.FEEDBACK}))


def events(*agents: str) -> list[OutgoingEvent]:
    bodies = [
        FeedbackReceived(agent_id=agent, interaction_id=f"i{n}", input="q", rating=3)
        for n, agent in enumerate(agents)
    ]
    return prepare(bodies, caller=CALLER, idempotency_key="", limit=10_000)


def intake(*producers: Producer, limit: int = 0) -> FeedbackProducer:
    made = iter(producers)
    in_flight = InFlightLimit("inflight_events", limit, "events")
    healing = HealingProducer("intake", lambda: next(made), ConnectionStates())

    async def limits_of_topic() -> dict[str, TopicLimits]:
        return {FEEDBACK.name: TopicLimits(message_bytes=20_000, before_ms=5)}

    return FeedbackProducer(
        healing,
        SetClock(NOON),
        in_flight,
        principal="User:gateway",
        timeout_seconds=0.05,
        read_limits=limits_of_topic,
    )


async def test_each_event_is_one_record_with_its_key_and_id() -> None:
    producer = Producer()
    batch = events("a", "b", "a")

    await intake(producer).send(batch)

    views = [HeaderView.of(record["headers"]) for record in producer.sent]
    assert [record["key"] for record in producer.sent] == [b"t/a", b"t/b", b"t/a"]
    assert [view.uuid("ce_id") for view in views] == [event.id for event in batch]
    assert {view.text("ce_type") for view in views} == {"archon.FeedbackReceived.v1"}
    assert [record["value"] for record in producer.sent] == [event.payload for event in batch]


async def test_a_key_goes_to_the_partition_that_any_kafka_client_would_choose() -> None:
    producer = Producer()

    await intake(producer).send(events("a", "b"))

    everyone = DefaultPartitioner()
    chosen = [everyone(r["key"], list(range(12)), []) for r in producer.sent]
    assert [record["partition"] for record in producer.sent] == chosen


async def test_without_an_acknowledgement_the_request_is_answered_as_retryable() -> None:
    with pytest.raises(ProducerUnavailable, match="send the same again"):
        await intake(Producer(acknowledges=False)).send(events("a"))


async def test_a_broker_that_is_away_at_the_start_is_tried_again_by_the_next_request() -> None:
    away, back = Producer(starts=False), Producer()
    door = intake(away, back)

    with pytest.raises(ProducerUnavailable):
        await door.send(events("a"))
    await door.send(events("a"))

    assert away.stopped
    assert len(back.sent) == 1


async def test_a_producer_whose_sender_died_is_replaced() -> None:
    first, second = Producer(), Producer()
    door = intake(first, second)
    await door.send(events("a"))
    first.die()

    await door.send(events("b"))

    assert first.stopped
    assert len(second.sent) == 1


async def test_a_stopped_producer_accepts_nothing() -> None:
    producer = Producer()
    door = intake(producer)
    await door.start()
    running = asyncio.create_task(door.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])

    assert producer.stopped
    with pytest.raises(ProducerUnavailable, match="stopping"):
        await door.send(events("a"))


async def test_events_over_the_in_flight_limit_are_not_sent() -> None:
    producer = Producer(acknowledges=False)
    door = intake(producer, limit=3)
    waiting = asyncio.create_task(door.send(events("a", "b")))
    await asyncio.sleep(0)

    with pytest.raises(Overloaded, match="inflight_events"):
        await door.send(events("c", "d"))

    with pytest.raises(ProducerUnavailable):
        await waiting
    assert len(producer.sent) == 2


async def test_refused_and_acknowledged_events_are_no_longer_in_flight() -> None:
    door = intake(Producer(acknowledges=False), limit=3)

    for _ in range(3):
        with pytest.raises(ProducerUnavailable):
            await door.send(events("a", "b"))


async def test_the_traffic_class_is_a_header_and_production_has_none() -> None:
    producer = Producer()
    bodies = [
        FeedbackReceived(
            agent_id="a", interaction_id=f"i{n}", input="q", rating=3, traffic_class=traffic_class
        )
        for n, traffic_class in enumerate((None, TrafficClass.SHADOW, None))
    ]

    await intake(producer).send(prepare(bodies, caller=CALLER, idempotency_key="", limit=10_000))

    views = [HeaderView.of(record["headers"]) for record in producer.sent]
    assert [view.text("ce_trafficclass") for view in views] == ["", "shadow", ""]


@pytest.mark.parametrize("broken", [{"hangs": True}, {"starts": False}], ids=["hangs", "refuses"])
async def test_the_gateway_starts_without_a_broker(
    broken: dict[str, bool],
) -> None:
    first, second = Producer(**broken), Producer()
    started = intake(first, second)

    await started.start()
    await started.send(events("a"))

    assert (first.stopped, len(second.sent)) == (True, 1)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (MessageSizeTooLargeError(), TooLarge, "no record above 20000 bytes"),
        (TopicAuthorizationFailedError("feedback"), NotAllowed, "User:gateway Write on topic"),
        (InvalidTimestampError(), Invalid, "InvalidTimestamp"),
    ],
)
async def test_what_kafka_refuses_for_good_is_reported_as_such(
    answer: KafkaError, error: type[Exception], text: str
) -> None:
    producer = Producer()
    producer.answer = answer
    door = intake(producer)

    with pytest.raises(error, match=text) as raised:
        await door.send(events("a"))
    assert "send the same again" not in str(raised.value)

    producer.answer = None
    await door.send(events("b"))
    assert not producer.stopped


async def test_a_producer_that_the_broker_no_longer_knows_is_replaced() -> None:
    first, second = Producer(), Producer()
    first.answer = OutOfOrderSequenceNumber()
    door = intake(first, second)

    with pytest.raises(ProducerUnavailable, match="send the same again"):
        await door.send(events("a"))
    await door.send(events("a"))

    assert len(second.sent) == 1


async def test_why_the_broker_keeps_us_waiting_is_reported() -> None:
    producer = Producer(acknowledges=False)
    producer.retried_error = NotEnoughReplicasError()

    with pytest.raises(ProducerUnavailable, match=r"min\.insync\.replicas"):
        await intake(producer).send(events("a"))


async def test_limits_below_our_own_are_logged_at_the_start() -> None:
    with structlog.testing.capture_logs() as logged:
        await intake(Producer()).warn_of_limits()

    reasons = [line["reason"] for line in logged if line["event"] == "kafka_topic_limit"]
    assert len(reasons) == 2
    assert "takes records up to 20000 bytes" in reasons[0]
    assert "message.timestamp.before.max.ms" in reasons[1]
