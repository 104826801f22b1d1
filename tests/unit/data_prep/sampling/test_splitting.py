"""Parts that share no question."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.formats import Split
from services.data_prep.domain import Item
from services.data_prep.sampling.splitting import STABLE_CLUSTERS, cap_raters, split
from tests.support.data.datasets import item, items

USUAL = {Split.VALIDATION: 0.15, Split.TEST: 0.15}
seeds = st.integers(0, 2**31)


def apart(found: list[Item]) -> dict[str, int]:
    """Every item a cluster of its own."""
    return {i.key: number for number, i in enumerate(found)}


@st.composite
def clustered(draw: st.DrawFn) -> tuple[list[Item], dict[str, int]]:
    found = draw(items())
    return found, {i.key: draw(st.integers(0, 12)) for i in found}


@given(clustered(), seeds, st.booleans())
def test_every_item_is_in_one_part_and_no_cluster_is_parted(
    data: tuple[list[Item], dict[str, int]], seed: int, stratified: bool
) -> None:
    found, cluster_of = data

    parts = split(found, cluster_of, USUAL, seed=seed, stratified=stratified)

    assert sorted(i.key for part in parts.values() for i in part) == sorted(i.key for i in found)
    used = [{cluster_of[i.key] for i in part} for part in parts.values()]
    assert sum(len(names) for names in used) == len(set().union(*used))


@given(clustered(), seeds)
def test_training_is_never_empty_and_keeps_half_of_the_clusters(
    data: tuple[list[Item], dict[str, int]], seed: int
) -> None:
    found, cluster_of = data

    parts = split(found, cluster_of, {Split.VALIDATION: 0.6, Split.TEST: 0.4}, seed=seed)

    kept = {cluster_of[i.key] for i in parts[Split.TRAIN]}
    assert len(kept) >= len(set(cluster_of.values())) / 2


@given(items(), seeds)
def test_every_target_can_be_learned(found: list[Item], seed: int) -> None:
    parts = split(found, apart(found), USUAL, seed=seed)

    assert {i.target for i in parts[Split.TRAIN]} == {i.target for i in found}


@given(clustered(), seeds, st.randoms())
def test_the_order_of_items_does_not_matter(
    data: tuple[list[Item], dict[str, int]], seed: int, rng: object
) -> None:
    found, cluster_of = data
    shuffled = [*found]
    rng.shuffle(shuffled)

    one = split(found, cluster_of, USUAL, seed=seed)
    other = split(shuffled, cluster_of, USUAL, seed=seed)

    assert {n: {i.key for i in p} for n, p in one.items()} == {
        n: {i.key for i in p} for n, p in other.items()
    }


def test_enough_items_of_each_target_are_parted_by_the_shares() -> None:
    found = [item(f"{target} number {n}", target) for target in "abc" for n in range(100)]

    parts = split(found, apart(found), USUAL, seed=3)

    for name, size in ((Split.TRAIN, 70), (Split.VALIDATION, 15), (Split.TEST, 15)):
        assert Counter(i.target for i in parts[name]) == dict.fromkeys("abc", size)


def test_larger_targets_give_what_single_items_cannot() -> None:
    rare = [item(f"rare {n}", f"target {n}") for n in range(50)]
    common = [item(f"common {n}", "common") for n in range(50)]

    parts = split([*rare, *common], apart([*rare, *common]), USUAL, seed=0)

    assert sum(len(parts[name]) for name in USUAL) == 25


def test_pinned_clusters_are_trained_on() -> None:
    found = [item(f"number {n}") for n in range(40)]
    cluster_of = apart(found)

    parts = split(found, cluster_of, USUAL, seed=0, pinned=range(20))

    assert {i.key for i in found[:20]} <= {i.key for i in parts[Split.TRAIN]}


@pytest.mark.parametrize("seed", range(3))
def test_the_seed_decides_who_goes_where(seed: int) -> None:
    found = [item(f"number {n}") for n in range(60)]

    here = split(found, apart(found), USUAL, seed=seed)
    there = split(found, apart(found), USUAL, seed=seed + 1)

    assert here[Split.TEST] != there[Split.TEST]


def test_no_rater_holds_more_than_its_part_of_the_test() -> None:
    honest = [item(f"honest {n}", unit=f"u{n}") for n in range(60)]
    eager = [item(f"eager {n}", unit="eve") for n in range(100)]
    nameless = [item(f"nameless {n}") for n in range(40)]
    parts = {
        Split.TRAIN: [],
        Split.VALIDATION: [],
        Split.TEST: [*honest, *eager, *nameless],
    }

    capped = cap_raters(parts, apart(parts[Split.TEST]), seed=0)

    given = Counter(i.unit for i in capped[Split.TEST])
    assert (given["eve"], given[""], len(given)) == (20, 20, 62)
    assert len(capped[Split.TRAIN]) == 200 - 60 - 40


def test_a_test_of_nameless_feedback_or_a_provided_dataset_is_not_cut() -> None:
    nameless = [item(f"number {n}") for n in range(60)]
    provided = [item(f"number {n}", unit="eve", source="external") for n in range(60)]

    for test in (nameless, provided):
        parts = {Split.TRAIN: [], Split.VALIDATION: [], Split.TEST: test}
        assert cap_raters(parts, apart(test), seed=0)[Split.TEST] == test


def test_a_record_of_a_large_dataset_keeps_its_part_in_a_larger_version() -> None:
    """The quotas of 20 targets grow as the dataset does: they moved 8 % of the records."""
    found = [item(f"number {n}", f"target {n % 20}") for n in range(2 * STABLE_CLUSTERS)]
    cluster_of = apart(found)

    before = split(found[:STABLE_CLUSTERS], cluster_of, USUAL, seed=1)
    after = split(found, cluster_of, USUAL, seed=1)

    for name, part in before.items():
        assert {i.key for i in part} <= {i.key for i in after[name]}
    for name in USUAL:
        assert abs(len(after[name]) / len(found) - 0.15) <= 0.01


def test_a_large_dataset_whose_targets_are_all_single_is_still_tested() -> None:
    found = [item(f"number {n}", f"target {n}") for n in range(STABLE_CLUSTERS)]
    common = [item(f"common {n}", "common") for n in range(STABLE_CLUSTERS)]

    parts = split([*found, *common], apart([*found, *common]), USUAL, seed=1)

    assert len(parts[Split.TEST]) == 0.15 * 2 * STABLE_CLUSTERS
