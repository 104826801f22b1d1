"""Counters of what a transaction stored."""

from datetime import timedelta
from uuid import UUID

import orjson

from archon_contracts.events import FeedbackCounted, FeedbackCounts, FeedbackSource
from archon_contracts.latency_buckets import bucket_of
from services.coordinator.domain import AgentKey
from services.coordinator.feedback.counting import CountTotals, FeedbackCounter
from services.coordinator.feedback.records import FeedbackRow, InteractionRow, RetractionRow
from services.coordinator.feedback.stats import ANNOTATION
from tests.support.messaging.messages import NOON

KEY = AgentKey("default", "picker")
RECEIVED_AT = NOON.replace(minute=59, second=59)


def row(number: int, *, source: str = "user", rating: float | None = None) -> FeedbackRow:
    """A correction of an answer that version 1.0.0 gave."""
    return FeedbackRow(
        KEY,
        UUID(int=number),
        f"i{number}",
        source,
        rating,
        False,
        None,
        b"",
        "",
        "1.0.0",
        True,
        None,
    )


def published(*counters: FeedbackCounter) -> list[FeedbackCounted]:
    """What is published of some transactions."""
    totals = CountTotals()
    for each in counters:
        totals.add(each.encode())
    return [event for batch in totals.batches({}) for event in batch]


def counted(counter: FeedbackCounter) -> dict[str | None, FeedbackCounts]:
    """The counts of the one agent by model version."""
    (event,) = published(counter)
    assert (event.tenant_id, event.agent_id) == KEY
    return {counts.model_version: counts for counts in event.counts}


def test_feedback_is_counted_per_model_version_and_hour() -> None:
    counter = FeedbackCounter(RECEIVED_AT)

    counter.add_feedback([row(1, rating=4), row(2, source="expert")], None)
    counter.add_feedback([row(3)._replace(model_version=None, corrected=False, reward=0.5)], None)

    versions = counted(counter)
    assert versions["1.0.0"] == FeedbackCounts(
        hour=NOON,
        model_version="1.0.0",
        feedback=2,
        corrected=2,
        rated=1,
        rating_sum=4,
        by_source={"user": 1, "expert": 1},
    )
    assert (versions[None].rewarded, versions[None].reward_sum) == (1, 0.5)


def test_rows_that_were_stored_before_are_duplicates_only() -> None:
    counter = FeedbackCounter(RECEIVED_AT)

    counter.add_feedback([row(1), row(2), row(2)], frozenset({("default", UUID(int=2))}))

    counts = counted(counter)["1.0.0"]
    assert (counts.feedback, counts.duplicates) == (1, 2)


def test_interactions_are_counted_with_failures_and_latencies() -> None:
    counter = FeedbackCounter(RECEIVED_AT)
    rows = [
        InteractionRow(KEY, UUID(int=1), b"", "1.0.0", False, 0.25),
        InteractionRow(KEY, UUID(int=2), b"", "1.0.0", True, None),
    ]

    counter.add_interactions(rows, None)

    counts = counted(counter)["1.0.0"]
    assert (counts.interactions, counts.failed) == (2, 1)
    assert counts.latencies == {str(bucket_of(0.25)): 1}


def test_annotations_and_retractions_are_counted_apart() -> None:
    counter = FeedbackCounter(RECEIVED_AT)
    retraction = RetractionRow(KEY, UUID(int=9), "i1", "user", "")

    counter.add_feedback([row(1, source=ANNOTATION)], None)
    counter.add_retraction(retraction, is_new=True)
    counter.add_retraction(retraction, is_new=False)

    versions = counted(counter)
    assert (versions["1.0.0"].annotations, versions["1.0.0"].feedback) == (1, 0)
    assert (versions[None].retracted, versions[None].duplicates) == (1, 1)


def test_nothing_stored_is_not_kept() -> None:
    assert FeedbackCounter(RECEIVED_AT).encode() == b""


def test_transactions_are_added_up_to_one_event_per_agent_with_its_hours() -> None:
    first, second = FeedbackCounter(RECEIVED_AT), FeedbackCounter(RECEIVED_AT)
    later = FeedbackCounter(RECEIVED_AT + timedelta(hours=1))
    for counter in (first, second, later):
        counter.add_feedback([row(1, rating=4), row(2, source=FeedbackSource.EXPERT)], None)
        counter.add_interactions([InteractionRow(KEY, UUID(int=3), b"", "1.0.0", True, 0.25)], None)
    other = FeedbackRow(AgentKey("default", "other"), *row(4)[1:])
    later.add_feedback([other], None)

    events = {event.agent_id: event.counts for event in published(first, second, later)}

    assert sorted(events) == ["other", "picker"]
    by_hour = {counts.hour: counts for counts in events["picker"]}
    assert [by_hour[hour].feedback for hour in sorted(by_hour)] == [4, 2]
    both = by_hour[NOON]
    assert (both.rated, both.rating_sum, both.failed) == (2, 8, 2)
    assert both.by_source == {"user": 2, "expert": 2}
    assert both.latencies == {str(bucket_of(0.25)): 2}


def test_an_event_stays_below_what_kafka_takes_whatever_versions_are_named() -> None:
    counter, totals = FeedbackCounter(RECEIVED_AT), CountTotals()
    other = row(0)._replace(key=AgentKey("default", "other"))
    rows = [row(n)._replace(model_version=f"{n} " + "\x01" * 50_000) for n in range(6)]
    counter.add_feedback([other, *rows], None)
    totals.add(counter.encode())

    batches = list(totals.batches({}))

    events = [event for batch in batches for event in batch if event.agent_id == "picker"]
    assert max(len(event.to_bytes()) for event in events) < 1_000_000
    assert sum(counts.feedback for event in events for counts in event.counts) == 6
    # An event's id derives from its agent and its batch's cause.
    assert all(len({event.agent_id for event in batch}) == len(batch) for batch in batches)
    assert len(batches[0]) == 2


def test_outcomes_are_summed_with_their_squares_per_digest() -> None:
    counter = FeedbackCounter(RECEIVED_AT)
    outcomes = (1.0, 0.5, None)
    rows = [row(n)._replace(outcome=outcome) for n, outcome in enumerate(outcomes)]

    counter.add_feedback(rows, None)
    counter.add_feedback([row(9)._replace(outcome=0.0, model_digest="d")], None)

    (event,) = published(counter)
    plain, named = sorted(event.counts, key=lambda counts: counts.model_digest or "")
    assert (plain.feedback, plain.scored) == (3, 2)
    assert (plain.outcome_sum, plain.outcome_squares) == (1.5, 1.25)
    assert (named.model_version, named.model_digest, named.scored) == ("1.0.0", "d", 1)


def test_outcomes_are_weighed_where_the_probability_of_feedback_is_known() -> None:
    counter = FeedbackCounter(RECEIVED_AT)
    stated = ((1.0, 0.5), (0.5, 0.25), (0.0, None), (None, 0.5), (1.0, 1e-9))
    rows = [
        row(n)._replace(outcome=outcome, feedback_propensity=propensity)
        for n, (outcome, propensity) in enumerate(stated)
    ]

    counter.add_feedback(rows, None)

    (counts,) = published(counter)[0].counts
    assert (counts.scored, counts.weighted) == (4, 3)
    # Weights 2, 4 and 100, to which that of a billionth is cut.
    assert (counts.weight_sum, counts.weight_squares) == (106, 4 + 16 + 10_000)
    assert (counts.weighted_sum, counts.weighted_products) == (104, 4 + 8 + 10_000)
    assert counts.weighted_squares == 4 + 4 + 10_000


def test_counters_that_an_earlier_release_left_are_still_published() -> None:
    counters = [[*KEY, "1.0.0", {"feedback": 2}]]
    totals = CountTotals()
    totals.add(orjson.dumps({"hour": NOON, "counters": counters}))

    ((event,),) = totals.batches({})

    assert event.counts[0].feedback == 2
    assert event.counts[0].model_digest is None
