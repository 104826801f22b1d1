"""Feedback, its statistics and windows: the same behaviour, in memory and on PostgreSQL."""

import hashlib
from datetime import timedelta
from uuid import UUID

from archon_contracts.events import AnnotationSubmitted
from services.coordinator.feedback.records import FeedbackRow, InteractionRow, RetractionRow
from services.coordinator.feedback.stats import ANNOTATION, RetractionResult
from tests.support.coordinator.coordinator import AGENT
from tests.support.coordinator.stores import KEY, UNKNOWN, Stores, retraction, row
from tests.support.messaging.messages import NOON


async def test_new_rows_are_counted_and_known_ones_are_not(stores: Stores) -> None:
    first = await stores.insert(row(1, rating=4), row(2))
    again = await stores.insert(row(2), row(3, rating=2), row(3, rating=2))

    assert (first.stored, first.new_ids) == (2, None)
    assert (again.stored, again.new_ids) == (1, frozenset({("default", UUID(int=3))}))
    stats = await stores.stats()
    assert (stats.unused, stats.rated, stats.rating_sum) == (3, 2, 6)
    assert stats.oldest_unused_at == NOON


async def test_pending_counts_are_taken_once_and_the_oldest_first(stores: Stores) -> None:
    for counts in (b"1", b"2", b"3"):
        await stores.call("add_pending_counts", counts)

    taken = [await stores.call("claim_pending_counts", 2) for _ in range(3)]

    assert [sorted(each) for each in taken] == [[b"1", b"2"], [b"3"], []]


async def test_what_is_unused_of_an_agent_has_the_time_of_the_look(stores: Stores) -> None:
    await stores.insert(row(1), row(2))
    await stores.call("retract", [retraction(1, 9)], NOON)

    found = await stores.call("unused_feedback", {KEY, UNKNOWN})

    assert {key: unused for key, (unused, _) in found.items()} == {KEY: 1}
    assert found[KEY][1].tzinfo is not None


async def test_a_retracted_row_does_not_come_back(stores: Stores) -> None:
    await stores.insert(row(1, rating=5), row(2))

    result: RetractionResult = await stores.call("retract", [retraction(1, 9)], NOON)
    again = await stores.insert(row(1, rating=5))

    assert (result.claimed_ids, result.is_new, again.stored) == ((), True, 0)
    assert result.stats is not None
    assert (result.stats.unused, (await stores.stats()).rated) == (1, 0)


async def test_a_retraction_that_comes_again_touches_nothing_newer(stores: Stores) -> None:
    await stores.insert(row(1))
    await stores.call("retract", [retraction(1, 9)], NOON)
    await stores.insert(row(1)._replace(event_id=UUID(int=5)))

    again = await stores.call("retract", [retraction(1, 9)], NOON)

    assert (again.is_new, again.stats, (await stores.stats()).unused) == (False, None, 1)


async def test_what_is_sent_again_after_its_retraction_is_stored_once(stores: Stores) -> None:
    await stores.insert(row(1))
    await stores.call("retract", [retraction(1, 9)._replace(offset=1)], NOON)
    corrected = row(1, rating=2)._replace(offset=2)

    sent = await stores.insert(corrected)
    delivered_again = [await stores.insert(row(1)), await stores.insert(corrected)]

    assert (sent.stored, sent.new_ids) == (1, frozenset({("default", UUID(int=1))}))
    assert [each.stored for each in delivered_again] == [0, 0]
    assert ((await stores.stats()).unused, (await stores.stats()).rating_sum) == (1, 2)


async def test_a_retraction_that_is_sent_again_takes_what_came_between(stores: Stores) -> None:
    await stores.insert(row(1))
    for offset in (1, 3):
        await stores.call("retract", [retraction(1, 9)._replace(offset=offset)], NOON)
        await stores.insert(row(1)._replace(offset=offset + 1))

    again = await stores.call("retract", [retraction(1, 9)._replace(offset=5)], NOON)

    assert (again.is_new, (await stores.stats()).unused) == (True, 0)


async def test_retractions_are_applied_together_each_to_what_it_names(stores: Stores) -> None:
    await stores.insert(row(1, rating=5), row(2), row(3))
    known = retraction(1, 9)
    await stores.call("retract", [known], NOON)
    many = [known, retraction(2, 10), retraction(2, 10)._replace(offset=3), retraction(7, 11)]

    result: RetractionResult = await stores.call("retract", many, NOON)
    again: RetractionResult = await stores.call("retract", many, NOON)

    assert (result.new_ids, again.new_ids) == ({UUID(int=10), UUID(int=11)}, frozenset())
    assert (await stores.stats()).unused == 1


async def test_only_the_submitter_or_a_retraction_for_all_erases(stores: Stores) -> None:
    await stores.insert(row(1)._replace(submitted_by="a"), row(2)._replace(submitted_by="b"))
    for number, submitted_by in enumerate(("b", "a"), start=8):
        named = retraction(1, number)._replace(submitted_by=submitted_by)
        await stores.call("retract", [named], NOON)
        assert (await stores.stats()).unused == (2 if submitted_by == "b" else 1)

    await stores.call("retract", [retraction(2, 10)], NOON)

    assert (await stores.stats()).unused == 0


async def test_an_annotation_is_withdrawn_for_its_annotator_only(stores: Stores) -> None:
    def label(number: int, annotator: str) -> FeedbackRow:
        body = {"agent_id": KEY.agent_id, "item_id": "x", "annotator_id": annotator}
        sent = AnnotationSubmitted(**body, input="q", label="yes").to_bytes()
        made = row(number)._replace(interaction_id="x", source=ANNOTATION, body=sent)
        return made._replace(annotator_id=annotator)

    await stores.insert(label(1, "ann"), label(2, "bob"))
    withdrawn = RetractionRow(KEY, UUID(int=9), "x", ANNOTATION, "", annotator_id="bob", offset=1)

    await stores.call("retract", [withdrawn], NOON)
    again = await stores.insert(label(1, "ann"), label(2, "bob")._replace(offset=2))

    assert (again.stored, (await stores.stats()).unused) == (1, 2)


async def test_a_retracted_row_leaves_its_window(stores: Stores) -> None:
    await stores.insert(row(1), row(2))
    window, _ = await stores.claim()

    result = await stores.call("retract", [retraction(1, 9)], NOON)

    assert result.claimed_ids == (UUID(int=1),)
    assert result.stats is not None
    # The window's version may hold it: it is to be looked for.
    assert result.stats.withdrawals == 1
    kept = await stores.call("window_feedback", window.window_id, limit=9)
    assert [each.event_id for each in kept] == [UUID(int=2)]


async def test_logged_interactions_are_found_by_id_for_their_own_agent(stores: Stores) -> None:
    logged = [InteractionRow(KEY, UUID(int=n), b"body %d" % n) for n in (1, 2)]
    await stores.insert(row(1))  # the agent is known
    await stores.call("insert_interactions", logged, NOON)

    asked = [UUID(int=2), UUID(int=3)]
    found = await stores.call("interaction_bodies", KEY, asked)

    assert found == {UUID(int=2): b"body 2"}
    assert await stores.call("interaction_bodies", UNKNOWN, asked) == {}


async def test_a_claim_takes_the_oldest_rows_up_to_the_maximum(stores: Stores) -> None:
    await stores.insert(row(3, rating=5, correct=True), at=NOON + timedelta(seconds=1))
    await stores.insert(row(1, rating=1), row(2, correct=None))

    window, claim = await stores.claim(maximum=2)

    assert (claim.feedback_count, claim.rated, claim.rating_sum) == (2, 1, 1)
    assert (claim.labelled, claim.success_rate) == (1, 0)
    assert claim.completed_by == row(2).traceparent
    contexts = await stores.call("window_contexts", window.window_id, most=1)
    assert contexts == [row(2).traceparent]
    stats = await stores.stats()
    assert (stats.unused, stats.rating_sum) == (1, 5)
    assert stats.oldest_unused_at == NOON + timedelta(seconds=1)


async def test_a_claim_without_labels_has_no_success_rate(stores: Stores) -> None:
    await stores.insert(row(1, correct=None))

    _, claim = await stores.claim()

    assert (claim.labelled, claim.success_rate) == (0, None)


async def test_a_digest_depends_on_the_events_alone(stores: Stores) -> None:
    await stores.insert(row(2), row(1))

    _, claim = await stores.claim()

    ids = "\n".join(str(UUID(int=number)) for number in (1, 2))
    assert claim.feedback_digest == hashlib.sha256(ids.encode()).hexdigest()


async def test_a_window_is_recorded_with_the_reference_of_later_ratings(stores: Stores) -> None:
    await stores.insert(row(1, rating=3))
    window, _ = await stores.claim()

    await stores.call("insert_window", window, (40, 160.0), NOON)

    stats = await stores.stats()
    assert (stats.windows, stats.last_window_at) == (1, NOON)
    assert (stats.previous_rated, stats.previous_rating_sum) == (40, 160)


async def test_due_statistics_are_found_by_their_time(stores: Stores) -> None:
    await stores.call("set_check", KEY, NOON)

    assert await stores.call("lock_due_stats", NOON - timedelta(seconds=1)) is None
    assert (await stores.call("lock_due_stats", NOON)).agent_id == AGENT


async def test_an_open_job_makes_the_agent_busy_until_its_own_end(stores: Stores) -> None:
    await stores.call("set_check", KEY, NOON)
    await stores.call("set_open_job", KEY, UUID(int=1))
    busy = await stores.stats()

    await stores.call("clear_open_job", KEY, UUID(int=2))
    still = await stores.stats()
    await stores.call("clear_open_job", KEY, UUID(int=1))

    assert (busy.busy, busy.check_at, still.busy) == (True, None, True)
    assert not (await stores.stats()).busy


async def test_unsuccessful_runs_are_counted_until_they_are_reset(stores: Stores) -> None:
    for _ in range(2):
        await stores.call("count_unsuccessful_run", KEY, NOON)
    counted = await stores.stats()
    await stores.call("reset_unsuccessful_runs", KEY)

    assert (counted.unsuccessful_runs, counted.last_unsuccessful_at) == (2, NOON)
    assert (await stores.stats()).last_unsuccessful_at is None


async def test_an_unknown_agent_has_no_statistics(stores: Stores) -> None:
    await stores.call("count_unsuccessful_run", UNKNOWN, NOON)

    assert await stores.call("lock_stats", UNKNOWN) is None
    assert await stores.call("find_configured", [KEY, UNKNOWN]) == {KEY}


async def test_a_window_is_read_page_by_page_without_a_gap(stores: Stores) -> None:
    # Rows of one batch and of two moments: a page may end between equal times.
    await stores.insert(*(row(number) for number in range(1, 6)))
    await stores.insert(row(6), row(7), at=NOON + timedelta(seconds=1))
    window, _ = await stores.claim()

    found, last = [], None
    while page := await stores.call("window_feedback", window.window_id, after=last, limit=2):
        found += [each.event_id for each in page]
        last = page[-1]

    assert found == [UUID(int=number) for number in range(1, 8)]


async def test_a_page_of_annotations_has_all_labels_of_its_items(stores: Stores) -> None:
    labels = [
        row(number)._replace(interaction_id=item, source=ANNOTATION, body=item.encode())
        for number, item in enumerate(("b", "a", "b", "c"), start=1)
    ]
    await stores.insert(*labels, row(9))
    window, _ = await stores.claim()

    pages = [
        await stores.call("window_annotations", window.window_id, after_item=item, limit=2)
        for item in ("", "b", "c")
    ]

    bodies = [[each.body for each in page] for page in pages]
    assert bodies == [[b"a", b"b", b"b"], [b"c"], []]
