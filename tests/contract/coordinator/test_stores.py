"""The coordinator's stores and their fakes: the same behaviour, in memory and on PostgreSQL."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from archon_contracts.events import AnnotationSubmitted, JobState, TriggerReason, WorkerReported
from archon_contracts.values import ModelRef, TrainingConfig, TrainingMethod
from services.coordinator.domain import (
    AgentKey,
    DatasetFacts,
    Job,
    JobFacts,
    JobTrace,
    Window,
    WindowClaim,
    WindowFacts,
    derive_window_id,
)
from services.coordinator.feedback.correction_store import CorrectionStore
from services.coordinator.feedback.records import FeedbackRow, RetractionRow
from services.coordinator.feedback.stats import (
    ANNOTATION,
    FeedbackStats,
    InsertResult,
    RetractionResult,
)
from services.coordinator.feedback.store import FeedbackStore
from services.coordinator.jobs.state_machine import JobEvent
from services.coordinator.retraining.window_store import WindowStore
from services.coordinator.store import JobStore
from tests.support.coordinator.coordinator import (
    AGENT,
    artifact,
    configure,
    coordinator_world,
    feedback,
)
from tests.support.coordinator.memory_feedback import MemoryFeedback
from tests.support.coordinator.memory_store import MemoryStore
from tests.support.messaging.messages import NOON

KEY = AgentKey("default", AGENT)
UNKNOWN = AgentKey("default", "nobody")


@dataclass
class Stores:
    """A pair of stores and how to open a transaction of theirs."""

    jobs: Any
    feedback: Any
    transaction: Callable[[], AbstractAsyncContextManager[Any]]
    corrections: Any = None
    windows: Any = None

    async def call(self, method: str, *arguments: object, **named: object) -> Any:
        """Call a method of either store in a transaction of its own."""
        stores = (self.feedback, self.corrections, self.windows, self.jobs)
        store = next(each for each in stores if hasattr(each, method))
        async with self.transaction() as tx:
            return await getattr(store, method)(tx, *arguments, **named)

    async def insert(self, *rows: FeedbackRow, at: datetime = NOON) -> InsertResult:
        """Store a batch."""
        async with self.transaction() as tx:
            agents = await self.feedback.lock_all_stats(tx, {row.key for row in rows})
            result: InsertResult = await self.feedback.insert_feedback(tx, rows, agents, at)
        return result

    async def stats(self) -> FeedbackStats:
        """The agent's statistics."""
        found: FeedbackStats = await self.call("lock_stats", KEY)
        return found

    async def claim(self, maximum: int = 100) -> tuple[Window, WindowClaim]:
        """Claim the next window."""
        sequence = (await self.stats()).windows + 1
        window_id = derive_window_id(KEY, sequence)
        claim: WindowClaim = await self.call("claim", KEY, window_id, maximum)
        return Window(window_id, KEY, sequence, TriggerReason.COUNT, claim), claim


@pytest.fixture(params=["memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str | None:
    """A database's address; None: in memory."""
    found: str | None = None
    if request.param == "postgres":
        found = request.getfixturevalue("database_url")
    return found


@pytest.fixture
async def stores(url: str | None, tmp_path: Path) -> AsyncIterator[Stores]:
    """Each kind in turn, with one agent configured."""
    async with contextlib.AsyncExitStack() as stack:
        if url is None:
            store = MemoryStore()
            made = Stores(store, MemoryFeedback(store), contextlib.nullcontext)
        else:
            world = await stack.enter_async_context(coordinator_world(url, tmp_path))
            transaction = world.shared.database.across_tenants
            made = Stores(
                JobStore(), FeedbackStore(), transaction, CorrectionStore(), WindowStore()
            )
        await made.call("put_agent", configure(), NOON)
        yield made


def row(number: int, *, rating: float | None = None, correct: bool | None = False) -> FeedbackRow:
    """A row of the agent."""
    body = feedback(f"i{number}").to_bytes()
    traceparent = f"00-{number:032x}-{number:016x}-01"
    return FeedbackRow(
        KEY, UUID(int=number), f"i{number}", "user", rating, correct, traceparent, body
    )


def retraction(number: int, event: int) -> RetractionRow:
    """The retraction `event` of a row."""
    return RetractionRow(KEY, UUID(int=event), f"i{number}", "user", "")


def job(number: int, *, state: JobState = JobState.REQUESTED, **fields: Any) -> Job:
    """A job of the agent; a later number was created later."""
    created = NOON + timedelta(seconds=number)
    values: dict[str, Any] = {
        "job_id": UUID(int=number),
        "key": KEY,
        "state": state,
        "method": TrainingMethod.SUPERVISED,
        "config": TrainingConfig(),
        "trace": JobTrace("a" * 32, None, "b" * 16, "c" * 16),
        "created_at": created,
        "state_since": created,
    }
    return Job(**(values | fields))


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


async def test_a_retracted_row_does_not_come_back(stores: Stores) -> None:
    await stores.insert(row(1, rating=5), row(2))

    result: RetractionResult = await stores.call("retract", retraction(1, 9), NOON)
    again = await stores.insert(row(1, rating=5))

    assert (result.claimed_ids, result.is_new, again.stored) == ((), True, 0)
    assert result.stats is not None
    assert (result.stats.unused, (await stores.stats()).rated) == (1, 0)


async def test_a_retraction_that_comes_again_touches_nothing_newer(stores: Stores) -> None:
    await stores.insert(row(1))
    await stores.call("retract", retraction(1, 9), NOON)
    await stores.insert(row(1)._replace(event_id=UUID(int=5)))

    again = await stores.call("retract", retraction(1, 9), NOON)

    assert (again.is_new, again.stats, (await stores.stats()).unused) == (False, None, 1)


async def test_what_is_sent_again_after_its_retraction_is_stored_once(stores: Stores) -> None:
    await stores.insert(row(1))
    await stores.call("retract", retraction(1, 9)._replace(offset=1), NOON)
    corrected = row(1, rating=2)._replace(offset=2)

    sent = await stores.insert(corrected)
    delivered_again = [await stores.insert(row(1)), await stores.insert(corrected)]

    assert (sent.stored, sent.new_ids) == (1, frozenset({("default", UUID(int=1))}))
    assert [each.stored for each in delivered_again] == [0, 0]
    assert ((await stores.stats()).unused, (await stores.stats()).rating_sum) == (1, 2)


async def test_a_retraction_that_is_sent_again_takes_what_came_between(stores: Stores) -> None:
    await stores.insert(row(1))
    for offset in (1, 3):
        await stores.call("retract", retraction(1, 9)._replace(offset=offset), NOON)
        await stores.insert(row(1)._replace(offset=offset + 1))

    again = await stores.call("retract", retraction(1, 9)._replace(offset=5), NOON)

    assert (again.is_new, (await stores.stats()).unused) == (True, 0)


async def test_only_the_submitter_or_a_retraction_for_all_erases(stores: Stores) -> None:
    await stores.insert(row(1)._replace(submitted_by="a"), row(2)._replace(submitted_by="b"))
    for number, submitted_by in enumerate(("b", "a"), start=8):
        named = retraction(1, number)._replace(submitted_by=submitted_by)
        await stores.call("retract", named, NOON)
        assert (await stores.stats()).unused == (2 if submitted_by == "b" else 1)

    await stores.call("retract", retraction(2, 10), NOON)

    assert (await stores.stats()).unused == 0


async def test_an_annotation_is_withdrawn_for_its_annotator_only(stores: Stores) -> None:
    def label(number: int, annotator: str) -> FeedbackRow:
        body = {"agent_id": KEY.agent_id, "item_id": "x", "annotator_id": annotator}
        sent = AnnotationSubmitted(**body, input="q", label="yes").to_bytes()
        made = row(number)._replace(interaction_id="x", source=ANNOTATION, body=sent)
        return made._replace(annotator_id=annotator)

    await stores.insert(label(1, "ann"), label(2, "bob"))
    withdrawn = RetractionRow(KEY, UUID(int=9), "x", ANNOTATION, "", annotator_id="bob", offset=1)

    await stores.call("retract", withdrawn, NOON)
    again = await stores.insert(label(1, "ann"), label(2, "bob")._replace(offset=2))

    assert (again.stored, (await stores.stats()).unused) == (1, 2)


async def test_a_retracted_row_leaves_its_window(stores: Stores) -> None:
    await stores.insert(row(1), row(2))
    window, _ = await stores.claim()

    result = await stores.call("retract", retraction(1, 9), NOON)

    assert (result.claimed_ids, result.stats) == ((UUID(int=1),), None)
    kept = await stores.call("window_feedback", window.window_id, limit=9)
    assert [each.event_id for each in kept] == [UUID(int=2)]


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


async def test_each_profile_has_a_revision_of_its_own(stores: Stores) -> None:
    before = (await stores.stats()).profile_revision

    await stores.call("put_agent", configure(priority=3), NOON)

    assert (await stores.stats()).profile_revision == before + 1
    assert (await stores.call("lock_profile", KEY)).priority == 3


async def test_an_older_deployment_does_not_replace_a_newer_one(stores: Stores) -> None:
    for version, seconds in (("2.0.0", 5), ("1.0.0", 0)):
        model = ModelRef(version=version, artifact=artifact(version))
        await stores.call("set_deployed", KEY, model, NOON + timedelta(seconds=seconds))

    assert (await stores.call("find_agent", KEY)).deployed.version == "2.0.0"


async def test_a_job_is_inserted_once_and_updated_from_the_version_that_was_read(
    stores: Stores,
) -> None:
    first = job(1)

    assert await stores.call("insert_job", first)
    assert not await stores.call("insert_job", first)
    assert await stores.call("update_job", replace(first, version=2), known_version=1)
    assert not await stores.call("update_job", replace(first, version=2), known_version=1)
    assert (await stores.call("lock_job", first.job_id)).version == 2


async def test_the_oldest_requested_job_is_next(stores: Stores) -> None:
    for number in (2, 1):
        await stores.call("insert_job", job(number))

    assert (await stores.call("lock_next_requested", KEY)).job_id == UUID(int=1)
    assert await stores.call("lock_next_requested", UNKNOWN) is None


async def test_overdue_jobs_are_found_by_their_deadline(stores: Stores) -> None:
    await stores.call("insert_job", job(1, deadline_at=NOON + timedelta(seconds=9)))
    await stores.call("insert_job", job(2, deadline_at=NOON + timedelta(seconds=5)))

    assert await stores.call("lock_overdue_job", NOON) is None
    due = await stores.call("lock_overdue_job", NOON + timedelta(seconds=10))
    assert due.job_id == UUID(int=2)


async def test_queued_jobs_come_in_turn_of_their_tenants(stores: Stores) -> None:
    tenants = {1: "a", 2: "a", 3: "b"}
    for number, tenant in tenants.items():
        key = AgentKey(tenant, f"agent-{number}")
        priority = 5 if number == 2 else 0
        queued = job(number, key=key, state=JobState.QUEUED, priority=priority)
        await stores.call("insert_job", queued)

    found = await stores.call("queued_jobs", most=2)

    assert [each.job_id.int for each in found] == [2, 3]
    assert await stores.call("lock_queued_job", UUID(int=1)) is not None


async def test_only_queued_jobs_are_locked_for_a_slot(stores: Stores) -> None:
    await stores.call("insert_job", job(1, state=JobState.TRAINING))

    assert await stores.call("lock_queued_job", UUID(int=1)) is None
    assert [each.agent_id for each in await stores.call("running_jobs")] == [AGENT]


async def test_a_tenant_remembers_when_it_last_got_a_slot(stores: Stores) -> None:
    running = job(1, state=JobState.TRAINING)
    await stores.call("insert_job", running)
    await stores.call(
        "insert_transition",
        running,
        from_state=JobState.QUEUED,
        event=JobEvent.SLOT_GRANTED,
        reason="",
    )
    other = job(2, key=AgentKey("default", "other"), state=JobState.QUEUED)
    await stores.call("insert_job", other)

    (queued,) = await stores.call("queued_jobs", most=5)

    assert queued.served_at == running.state_since
    assert [each.to_state for each in await stores.call("transitions", UUID(int=1))] == ["training"]


async def test_workers_that_did_not_report_lately_have_no_slots(stores: Stores) -> None:
    report = WorkerReported(worker_id="w", service="trainer", slots=2, busy=0)
    await stores.call("put_worker", report, NOON)

    assert await stores.call("reported_slots", "trainer", NOON - timedelta(seconds=1)) == [2]
    assert await stores.call("reported_slots", "trainer", NOON) == []
    assert await stores.call("reported_slots", "evaluator", NOON - timedelta(seconds=1)) == []


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


@pytest.mark.parametrize("state", list(JobState))
async def test_jobs_that_have_not_ended_are_counted_by_tenant(
    stores: Stores, state: JobState
) -> None:
    await stores.call("insert_job", job(1, state=state))
    await stores.call("insert_job", job(2))

    counts = [await stores.call("count_open_jobs", AgentKey(t, AGENT)) for t in ("default", "x")]

    assert counts == [1 + (not state.is_final), 0]


UPDATE = UUID(int=77)


async def claim_correction(stores: Stores, number: int, rater: str = "u1") -> None:
    """Give one row to an update."""
    await stores.call("claim_corrections", KEY, UPDATE, [(UUID(int=number), rater)], NOON)


async def test_wrong_answers_are_open_corrections_newest_first(stores: Stores) -> None:
    await stores.insert(row(1), row(2, correct=True), row(3), row(4, correct=None))

    found = await stores.call("open_corrections", KEY, most=10)
    (newest,) = await stores.call("open_corrections", KEY, most=1)

    assert [stored.event_id.int for stored, _ in found] == [3, 1]
    assert newest[0].event_id.int == 3
    assert newest[1] == row(3).traceparent
    assert (await stores.stats()).corrections == 2


async def test_an_update_borrows_a_correction_and_the_window_has_it_too(stores: Stores) -> None:
    await stores.insert(row(1), row(2))
    await claim_correction(stores, 1)

    open_ones = await stores.call("open_corrections", KEY, most=10)
    stats = await stores.stats()
    _, claim = await stores.claim()

    assert [stored.event_id.int for stored, _ in open_ones] == [2]
    assert (stats.unused, claim.feedback_count) == (2, 2)
    learnt = await stores.call("update_feedback", UPDATE)
    assert [stored.event_id.int for stored in learnt] == [1]


async def test_what_a_window_has_is_no_open_correction(stores: Stores) -> None:
    await stores.insert(row(1), row(2))
    await stores.claim(1)

    found = await stores.call("open_corrections", KEY, most=10)

    assert [stored.event_id.int for stored, _ in found] == [2]


async def test_items_of_raters_are_counted_since_a_moment(stores: Stores) -> None:
    await stores.insert(row(1), row(2), row(3))
    await claim_correction(stores, 1)
    await claim_correction(stores, 2)
    await claim_correction(stores, 3, "u2")

    earlier, later = NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)

    assert await stores.call("items_of_raters", KEY, earlier) == {"u1": 2, "u2": 1}
    assert await stores.call("items_of_raters", KEY, later) == {}


async def test_a_retracted_correction_is_erased_everywhere(stores: Stores) -> None:
    await stores.insert(row(1))
    await claim_correction(stores, 1)

    result: RetractionResult = await stores.call("retract", retraction(1, 9), NOON)

    assert [each.int for each in result.claimed_ids] == [1]
    assert result.stats is not None
    assert result.stats.unused == 0
    assert await stores.call("update_feedback", UPDATE) == []


async def test_updates_and_refusals_are_counted(stores: Stores) -> None:
    await stores.call("record_update", KEY, sequence=4, corrections=2)
    await stores.call("count_refused_update", KEY, NOON)
    await stores.call("count_refused_update", KEY, NOON)
    refused = await stores.stats()
    await stores.call("reset_refused_updates", KEY)
    reset = await stores.stats()

    assert (refused.updates, refused.corrections, refused.refused_updates) == (4, 2, 2)
    assert refused.last_refused_update_at == NOON
    assert (reset.refused_updates, reset.last_refused_update_at) == (0, None)


def version(number: int) -> ModelRef:
    """Version `0.<number>.0`."""
    return ModelRef(version=f"0.{number}.0", artifact=artifact(f"version {number}"))


def version_job(number: int, *, update: UUID | None = None, left_out: int | None = 0) -> Job:
    """A job that made a version from the one before it; with `update`, one of the fast path."""
    window = update and WindowFacts(
        window_id=update,
        reason=TriggerReason.COUNT,
        feedback_count=1,
        feedback_digest="0" * 64,
        fast_path=True,
    )
    dataset = DatasetFacts(
        dataset_id=UUID(int=number),
        version=1,
        artifact=artifact("dataset"),
        training_items=1,
        left_out=left_out,
    )
    facts = JobFacts(
        warm_start=version(number - 1), window=window, dataset=dataset, model=version(number)
    )
    return job(number, state=JobState.COMPLETED, facts=facts)


async def claim_after_update(stores: Stores, *, left_out: int | None = 0) -> UUID:
    """A window of three rows; an update that made version 2 had the first, version 3 followed."""
    await stores.insert(row(1, rating=1), row(2, rating=2), row(3, rating=3))
    await claim_correction(stores, 1)
    await stores.call("insert_job", version_job(2, update=UPDATE, left_out=left_out))
    await stores.call("insert_job", version_job(3))
    window, claim = await stores.claim()
    await stores.call("insert_window", window, (0, 0.0), NOON)
    assert claim.feedback_count == 3
    return window.window_id


@pytest.mark.parametrize(
    ("deployed", "left_out", "learnt"),
    [
        (3, 0, {1}),  # a later version goes on from the update's
        (2, 0, {1}),
        (1, 0, set()),  # rolled back
        (None, 0, set()),
        (3, 1, set()),  # which item was kept out is not known
        (3, None, set()),  # a job of before this was kept
    ],
)
async def test_learnt_is_what_an_update_among_the_deployed_versions_ancestors_had(
    stores: Stores, deployed: int | None, left_out: int | None, learnt: set[int]
) -> None:
    window_id = await claim_after_update(stores, left_out=left_out)
    if deployed is not None:
        await stores.call("set_deployed", KEY, version(deployed), NOON)

    found = await stores.call("learnt_by_updates", KEY, window_id)

    assert {each.int for each in found} == learnt
    assert await stores.call("learnt_by_updates", UNKNOWN, window_id) == frozenset()


async def test_what_was_retracted_is_not_learnt(stores: Stores) -> None:
    window_id = await claim_after_update(stores)
    await stores.call("set_deployed", KEY, version(3), NOON)

    await stores.call("retract", retraction(1, 9), NOON)

    assert await stores.call("learnt_by_updates", KEY, window_id) == frozenset()


@pytest.mark.parametrize("by_hand", [False, True])
async def test_what_is_learnt_stays_in_its_window_and_is_not_listed(
    stores: Stores, by_hand: bool
) -> None:
    window_id = await claim_after_update(stores)
    learnt = frozenset({UUID(int=1)})

    before = await stores.call("unlearnt_feedback", window_id, learnt=learnt)
    returned = await stores.call(
        "return_feedback", KEY, window_id, maximum_returns=1, by_hand=by_hand, learnt=learnt
    )

    left = await stores.call("unlearnt_feedback", window_id, learnt=learnt)
    kept = await stores.call("unlearnt_feedback", window_id)
    stats = await stores.stats()
    assert (before.count, returned, left.count, kept.event_ids) == (2, 2, 0, (UUID(int=1),))
    assert (stats.unused, stats.rated, stats.rating_sum) == (2, 2, 5)
