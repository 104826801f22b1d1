"""Who gets the free training slots."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.scheduling.fair_share import (
    AGING,
    QueuedJob,
    RunningJob,
    allocate,
    count_slots,
)
from tests.support.messaging.messages import NOON


def waiting(
    number: int, tenant: str = "t", agent: str = "a", priority: int = 0, served: int | None = None
) -> QueuedJob:
    """A job that waits since `number` seconds after noon; its tenant got a slot at `served`."""
    since, served_at = NOON + timedelta(seconds=number), None
    if served is not None:
        served_at = NOON + timedelta(seconds=served)
    return QueuedJob(UUID(int=number), tenant, agent, priority, since, served_at)


def numbers(granted: tuple[UUID, ...]) -> list[int]:
    """The jobs by their numbers."""
    return [job_id.int for job_id in granted]


def test_the_oldest_goes_first_among_equals() -> None:
    assert numbers(allocate([waiting(2), waiting(1), waiting(3)], [], 2)) == [1, 2]


def test_a_higher_priority_goes_before_an_older_job() -> None:
    assert numbers(allocate([waiting(1), waiting(2, priority=5)], [], 1)) == [2]


def test_the_tenant_with_fewer_slots_goes_first() -> None:
    jobs = [waiting(1, "busy"), waiting(2, "idle")]

    assert numbers(allocate(jobs, [RunningJob("busy", "x")], 2)) == [2]


def test_slots_given_in_one_round_count_as_held() -> None:
    jobs = [waiting(1, "one"), waiting(2, "one"), waiting(3, "two")]

    assert numbers(allocate(jobs, [], 2)) == [1, 3]


def test_an_hour_of_waiting_is_worth_one_of_priority() -> None:
    hour = int(AGING.total_seconds())

    assert numbers(allocate([waiting(1), waiting(hour + 2, priority=1)], [], 1)) == [1]
    assert numbers(allocate([waiting(1), waiting(hour, priority=1)], [], 1)) == [hour]


def test_the_tenant_that_used_less_for_its_weight_goes_first() -> None:
    jobs = [
        replace(waiting(1, "light"), used_seconds=600),
        replace(waiting(2, "heavy"), used_seconds=900),
    ]

    assert numbers(allocate(jobs, [], 1)) == [1]
    assert numbers(allocate(jobs, [], 1, {"heavy": 2})) == [2]


def test_no_slot_means_no_start() -> None:
    assert allocate([waiting(1)], [RunningJob("t", "x")], 1) == ()


def test_one_slot_is_assumed_until_a_worker_is_heard() -> None:
    assert count_slots([]) == 1
    assert count_slots([0]) == 0
    assert count_slots([2, 3]) == 5


jobs = st.lists(
    st.builds(
        waiting,
        st.integers(1, 1_000),
        st.sampled_from("tu"),
        st.sampled_from("abc"),
        st.integers(-2, 2),
    ),
    unique_by=lambda job: job.job_id,
    max_size=12,
)
runs = st.lists(st.builds(RunningJob, st.sampled_from("tu"), st.sampled_from("abc")), max_size=6)


@given(jobs, runs, st.integers(0, 8))
def test_exactly_the_free_slots_are_given_and_none_twice(
    queue: list[QueuedJob], running: list[RunningJob], capacity: int
) -> None:
    granted = allocate(queue, running, capacity)

    assert len(granted) == min(len(queue), max(0, capacity - len(running)))
    assert len(set(granted)) == len(granted)
    assert set(granted) <= {job.job_id for job in queue}


@given(jobs, runs, st.integers(0, 8), st.randoms())
def test_the_order_of_the_question_does_not_change_the_answer(
    queue: list[QueuedJob], running: list[RunningJob], capacity: int, random: st.DrawFn
) -> None:
    shuffled = sorted(queue, key=lambda _: random.random())  # type: ignore[attr-defined]  # a Random

    assert allocate(shuffled, running, capacity) == allocate(queue, running, capacity)


@given(jobs, runs, st.integers(0, 8))
def test_nobody_waits_behind_a_lower_priority_of_its_own_tenant(
    queue: list[QueuedJob], running: list[RunningJob], capacity: int
) -> None:
    granted = set(allocate(queue, running, capacity))

    for tenant in "tu":
        mine = [job for job in queue if job.tenant_id == tenant]
        left = [job.priority for job in mine if job.job_id not in granted]
        assert all(job.priority >= max(left, default=-9) for job in mine if job.job_id in granted)


@given(jobs, runs, st.integers(0, 8), st.dictionaries(st.integers(1, 1_000), st.integers(-9, 9)))
def test_the_priorities_that_tenants_set_do_not_move_slots_between_them(
    queue: list[QueuedJob], running: list[RunningJob], capacity: int, other: dict[int, int]
) -> None:
    changed = [replace(job, priority=other.get(job.job_id.int, 0)) for job in queue]
    owner = {job.job_id: job.tenant_id for job in queue}

    before, after = (allocate(each, running, capacity) for each in (queue, changed))

    assert [owner[job_id] for job_id in before] == [owner[job_id] for job_id in after]


def test_of_tenants_that_hold_as_many_the_one_served_longest_ago_is_next() -> None:
    queue = [waiting(1, "greedy", priority=100, served=9), waiting(2, "modest", served=3)]

    assert numbers(allocate(queue, [], 1)) == [2]
    assert numbers(allocate([*queue, waiting(5, "new", priority=-100)], [], 2)) == [5, 2]


@given(
    st.integers(1, 3),
    st.lists(
        st.lists(st.tuples(st.sampled_from("tuvw"), st.integers(-100, 100)), max_size=6),
        min_size=1,
        max_size=30,
    ),
)
def test_no_tenant_with_queued_jobs_starves(
    capacity: int, arrivals: list[list[tuple[str, int]]]
) -> None:
    """Each round every job ends, and tenants queue what they like, at what priority they like."""
    queue: list[QueuedJob] = [waiting(0, "quiet", priority=-100)]
    served: dict[str, int] = {}
    waited: Counter[str] = Counter()
    number = 0
    for second, arrived in enumerate(arrivals, start=1):
        for tenant, priority in arrived:
            number += 1
            queue.append(waiting(number, tenant, f"a{number}", priority))
        queued = [waiting_again(job, served.get(job.tenant_id)) for job in queue]
        granted = set(allocate(queued, [], capacity))
        happy = {job.tenant_id for job in queue if job.job_id in granted}
        queue = [job for job in queue if job.job_id not in granted]
        served |= dict.fromkeys(happy, second)
        left = {job.tenant_id for job in queue}
        waited = Counter({tenant: waited[tenant] + 1 for tenant in left - happy})
        # Five tenants, `capacity` slots a round: nobody is passed over more often than this.
        assert max(waited.values(), default=0) <= -(-5 // capacity)


def waiting_again(job: QueuedJob, served: int | None) -> QueuedJob:
    """The job as the next look finds it."""
    return waiting(job.job_id.int, job.tenant_id, job.agent_id, job.priority, served)
