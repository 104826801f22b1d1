from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.trainer.recipes.sampling_order import (
    SINGLE_STAGE,
    SamplingStage,
    bucket_by_length,
    sample_order,
)

difficulties = st.lists(st.floats(0, 1), min_size=1, max_size=50)
stages = st.lists(
    st.builds(SamplingStage, st.floats(0, 1), st.floats(0.05, 1)), min_size=1, max_size=4
)
seeds = st.integers(0, 1000)


@given(difficulties, st.integers(1, 4), seeds)
def test_without_stages_every_epoch_sees_every_item_once(
    hard: list[float], epochs: int, seed: int
) -> None:
    order = sample_order(hard, epochs * len(hard), SINGLE_STAGE, seed)

    for epoch in range(epochs):
        seen = order[epoch * len(hard) : (epoch + 1) * len(hard)]
        assert sorted(seen) == list(range(len(hard)))


@given(difficulties, st.integers(0, 200), stages, seeds)
def test_as_many_items_are_sampled_as_asked_and_the_same_for_the_same_seed(
    hard: list[float], draws: int, plan: list[SamplingStage], seed: int
) -> None:
    order = sample_order(hard, draws, plan, seed)

    assert len(order) == draws
    assert order == sample_order(hard, draws, plan, seed)


def test_an_easy_stage_sees_only_easy_items_and_the_hard_ones_follow() -> None:
    plan = [SamplingStage(0.3, 0.5), SamplingStage(1.0, 0.5)]

    order = sample_order([0.1, 0.9, 0.2, 0.8], 4, plan, seed=0)

    assert sorted(order[:2]) == [0, 2]
    assert sorted(order[2:]) == [1, 3]


def test_a_stage_that_is_too_easy_for_all_items_draws_from_all() -> None:
    order = sample_order([0.9, 0.8], 2, [SamplingStage(0.1, 1.0)], seed=0)

    assert sorted(order) == [0, 1]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=200), st.integers(1, 8), seeds)
def test_bucketing_keeps_every_row(lengths: list[int], batch_size: int, seed: int) -> None:
    order = list(range(len(lengths)))

    assert Counter(bucket_by_length(order, lengths, batch_size, seed)) == Counter(order)


def test_bucketing_pads_less() -> None:
    lengths = [3, 30] * 32

    order = bucket_by_length(list(range(64)), lengths, 8, seed=1)

    batches = [[lengths[row] for row in order[at : at + 8]] for at in range(0, 64, 8)]
    assert all(len(set(batch)) == 1 for batch in batches)
    assert len({batch[0] for batch in batches[:4]}) == 2
