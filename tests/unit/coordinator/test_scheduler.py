"""Who gets the free training slots."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.scheduler import Running, Waiting, allocate, capacity_of
from tests.support.messages import NOON


def waiting(number: int, tenant: str = "t", agent: str = "a", priority: int = 0) -> Waiting:
    """A job that waits since `number` seconds after noon."""
    since = NOON + timedelta(seconds=number)
    return Waiting(UUID(int=number), tenant, agent, priority, since)


def numbers(granted: tuple[UUID, ...]) -> list[int]:
    """The jobs by their numbers."""
    return [job_id.int for job_id in granted]


def test_the_oldest_goes_first_among_equals() -> None:
    assert numbers(allocate([waiting(2), waiting(1), waiting(3)], [], 2)) == [1, 2]


def test_a_higher_priority_goes_before_an_older_job() -> None:
    assert numbers(allocate([waiting(1), waiting(2, priority=5)], [], 1)) == [2]


def test_the_tenant_with_fewer_slots_goes_first() -> None:
    jobs = [waiting(1, "busy"), waiting(2, "idle")]

    assert numbers(allocate(jobs, [Running("busy", "x")], 2)) == [2]


def test_slots_given_in_one_round_count_as_held() -> None:
    jobs = [waiting(1, "one"), waiting(2, "one"), waiting(3, "two")]

    assert numbers(allocate(jobs, [], 2)) == [1, 3]


def test_the_agent_with_fewer_slots_goes_first_within_a_tenant() -> None:
    jobs = [waiting(1, agent="busy"), waiting(2, agent="idle")]

    assert numbers(allocate(jobs, [Running("t", "busy")], 2)) == [2]


def test_no_slot_means_no_start() -> None:
    assert allocate([waiting(1)], [Running("t", "x")], 1) == ()


def test_one_slot_is_assumed_until_a_worker_is_heard() -> None:
    assert capacity_of([]) == 1
    assert capacity_of([0]) == 0
    assert capacity_of([2, 3]) == 5


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
runs = st.lists(st.builds(Running, st.sampled_from("tu"), st.sampled_from("abc")), max_size=6)


@given(jobs, runs, st.integers(0, 8))
def test_exactly_the_free_slots_are_given_and_none_twice(
    queue: list[Waiting], running: list[Running], capacity: int
) -> None:
    granted = allocate(queue, running, capacity)

    assert len(granted) == min(len(queue), max(0, capacity - len(running)))
    assert len(set(granted)) == len(granted)
    assert set(granted) <= {job.job_id for job in queue}


@given(jobs, runs, st.integers(0, 8), st.randoms())
def test_the_order_of_the_question_does_not_change_the_answer(
    queue: list[Waiting], running: list[Running], capacity: int, random: st.DrawFn
) -> None:
    shuffled = sorted(queue, key=lambda _: random.random())  # type: ignore[attr-defined]  # a Random

    assert allocate(shuffled, running, capacity) == allocate(queue, running, capacity)


@given(jobs, runs, st.integers(0, 8))
def test_nobody_waits_behind_a_lower_priority(
    queue: list[Waiting], running: list[Running], capacity: int
) -> None:
    granted = set(allocate(queue, running, capacity))
    left = [job.priority for job in queue if job.job_id not in granted]

    assert all(job.priority >= max(left, default=-9) for job in queue if job.job_id in granted)
