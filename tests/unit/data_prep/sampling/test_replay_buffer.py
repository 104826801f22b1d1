"""The replay memory."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.domain import Item
from services.data_prep.sampling import replay_buffer as replay
from tests.support.data.datasets import item, items

capacities = st.integers(0, 30)
seeds = st.integers(0, 2**31)


@given(items(), capacities)
def test_a_memory_never_exceeds_its_capacity_nor_wastes_it(
    found: list[Item], capacity: int
) -> None:
    assert len(replay.select_retained(found, capacity)) == min(capacity, len(found))


@given(items(), capacities)
def test_targets_share_the_memory_evenly(found: list[Item], capacity: int) -> None:
    kept = Counter(i.target for i in replay.select_retained(found, capacity))
    offered = Counter(i.target for i in found)

    for target, count in kept.items():
        assert all(
            kept[other] >= count - 1 or kept[other] == offered[other] for other in offered
        ), target


@given(items(), capacities, st.randoms())
def test_what_is_kept_depends_on_no_order(found: list[Item], capacity: int, rng: object) -> None:
    shuffled = [*found]
    rng.shuffle(shuffled)

    assert replay.select_retained(found, capacity) == replay.select_retained(shuffled, capacity)


@given(items(), items(), capacities)
def test_items_that_come_in_two_parts_leave_what_all_at_once_leave(
    first: list[Item], second: list[Item], capacity: int
) -> None:
    known = {i.key for i in first}
    later = [i for i in second if i.key not in known]

    stepwise = replay.select_retained([*replay.select_retained(first, capacity), *later], capacity)

    assert stepwise == replay.select_retained([*first, *later], capacity)


@given(items(), st.integers(0, 20), seeds)
def test_taken_inputs_are_not_replayed(found: list[Item], count: int, seed: int) -> None:
    taken = {i.key for i in found[::2]}

    sampled = replay.select_candidates(found, taken, count, seed)

    assert len(sampled) == min(count, len(found) - len(taken))
    assert all(i.source == "replay" and i.key not in taken for i in sampled)


def test_another_seed_replays_other_items() -> None:
    memory = [item(f"question number {n}") for n in range(100)]

    draws = {
        tuple(i.key for i in replay.select_candidates(memory, (), 10, seed)) for seed in range(5)
    }

    assert len(draws) == 5


def test_the_seeded_hashes_of_a_buffer_prefer_no_position() -> None:
    found = [item(f"question number {n}") for n in range(1000)]

    kept = {i.id for i in replay.select_retained(found, 500)}

    early = sum(i.id in kept for i in found[:500])
    assert 200 < early < 300
