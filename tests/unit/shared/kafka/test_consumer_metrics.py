"""What is measured of each message, and what is there before the first."""

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from archon_contracts.topics import FEEDBACK, MODELS
from shared.kafka import subscriptions
from shared.kafka.subscriptions import PROCESS_BUCKETS, Subscription
from shared.telemetry import counters
from shared.telemetry.counters import begin_counters, counter_from_zero


class ValueRecorder:
    """Keeps what an instrument is given."""

    def __init__(self) -> None:
        self.values: list[tuple[float, dict[str, Any]]] = []

    def record(self, value: float, labels: dict[str, Any]) -> None:
        self.values.append((value, labels))

    add = record


def test_the_time_of_each_message_is_recorded_with_the_error_that_ended_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duration = ValueRecorder()
    monkeypatch.setattr(subscriptions, "process_duration", duration)
    subscription = Subscription("group", (FEEDBACK,), max_records=1)

    with subscription._measured(FEEDBACK.name):
        pass
    with pytest.raises(ValueError, match="no"), subscription._measured(FEEDBACK.name):
        raise ValueError("no")

    (_, first), (_, second) = duration.values
    assert first["messaging.destination.name"] == FEEDBACK.name
    assert first["messaging.consumer.group.name"] == "group"
    assert second == first | {"error.type": "ValueError"}
    assert PROCESS_BUCKETS[0] == 0.005
    assert PROCESS_BUCKETS[-1] == 10


def test_each_topic_has_its_counters_before_the_first_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumed, letters = ValueRecorder(), ValueRecorder()
    monkeypatch.setattr(subscriptions, "consumed", consumed)
    monkeypatch.setattr(subscriptions, "dead_letter_counter", letters)

    Subscription("group", (FEEDBACK, MODELS), max_records=1).begin_counters()

    assert letters.values == [(0, {"topic": FEEDBACK.name}), (0, {"topic": MODELS.name})]
    assert [value for value, _ in consumed.values] == [0, 0]


def test_counters_are_there_with_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "_counters", [])
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("test")
    counter_from_zero(meter, "plain", "{event}")
    counter_from_zero(meter, "labelled", "{event}", {"to": "a"}, {"to": "b"})

    begin_counters()

    data = reader.get_metrics_data()
    assert data is not None
    found = {
        (metric.name, *map(str, (point.attributes or {}).values()), point.value)
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    }
    assert found == {("plain", 0), ("labelled", "a", 0), ("labelled", "b", 0)}
    provider.shutdown()
