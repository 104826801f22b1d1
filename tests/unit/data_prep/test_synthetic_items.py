"""Synthetic items in a dataset: trained on, and never tested with."""

from collections import Counter

import pytest

from archon_contracts.formats import Split, TrainingItem
from archon_contracts.values import ArtifactRef
from services.data_prep.domain import PreparationPolicy, PreparedDataset
from services.data_prep.pipeline import prepare, refuse_untestable
from services.data_prep.text import normalise_input
from tests.support.data.datasets import REF, preparation_inputs, prepare_dataset, record

POLICY = PreparationPolicy()


def synthetic(count: int) -> list[TrainingItem]:
    return [
        record(f"made up question {n} {n * 104729:x}", target="b", source="synthetic")
        for n in range(count)
    ]


def test_synthetic_items_are_trained_on_and_never_tested_with() -> None:
    real = [record(f"question {n} {n * 7919:x}", target="b") for n in range(60)]

    result = prepare(preparation_inputs([*real, *synthetic(60)]), POLICY)

    assert isinstance(result, PreparedDataset)
    sources = {part: Counter(g.item.source for g in found) for part, found in result.splits.items()}
    assert sources[Split.TRAIN]["synthetic"] == 60
    assert sources[Split.TEST].keys() == sources[Split.VALIDATION].keys() == {"feedback"}


@pytest.mark.parametrize("suite", [None, REF])
def test_synthetic_items_alone_train_a_version_where_a_suite_decides_about_it(
    suite: ArtifactRef | None,
) -> None:
    command = prepare_dataset(evaluation_suite=suite)
    inputs = preparation_inputs(synthetic(60), command=command)
    prepared = prepare(inputs, POLICY)
    assert isinstance(prepared, PreparedDataset)

    rejected = refuse_untestable(inputs, POLICY, prepared)

    assert prepared.splits[Split.TEST] == ()
    assert prepared.splits[Split.VALIDATION]
    if suite is None:
        assert rejected is not None
        assert rejected.reason.startswith("all 60 new items are synthetic")
    else:
        assert rejected is None


def test_what_stands_in_a_synthetic_item_is_trained_on_and_tests_nothing() -> None:
    real = [record(f"question {n} {n * 7919:x}", target="b", id=str(n)) for n in range(60)]
    made = [
        record(f"hello, i would like to ask you for this: {each.input}, and thank you very much",
               target=str(each.target), source="synthetic", id=f"made {each.id}")
        for each in real[:30]
    ]  # fmt: skip

    result = prepare(preparation_inputs([*real, *made]), POLICY)

    assert isinstance(result, PreparedDataset)
    copied = {normalise_input(str(each.input)) for each in real[:30]}
    tested = {graded.item.key for graded in result.splits[Split.TEST]}
    assert tested
    assert not tested & copied
