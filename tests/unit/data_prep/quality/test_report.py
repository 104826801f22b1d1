"""The quality report: what it counts, and which limits refuse a dataset."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.formats import DatasetQuality, Split
from archon_contracts.values import AgentKind, DataPolicy
from services.data_prep.dedup.gram_sets import shingles
from services.data_prep.domain import GradedItem, PreparationPolicy, PreparedDataset
from services.data_prep.pipeline import prepare
from services.data_prep.quality.leakage_check import THRESHOLD, check_leakage
from services.data_prep.quality.limits import apply_limits, refuse_by_limits
from services.data_prep.quality.report import assess
from services.data_prep.quality.statistics import compute_vendi_score, measure_balance
from tests.support.data.datasets import item, preparation_inputs, prepare_dataset, record, texts

NOW = datetime(2026, 11, 30, tzinfo=UTC)
TOPICS = ("refund money bill", "parcel courier late", "password login code")


def assessed(
    count: int = 60, wrong: int = 0, **policy: object
) -> tuple[DatasetQuality, PreparedDataset]:
    """The report of prepared items, of which some have the wrong target."""
    lines = [
        record(
            f"{TOPICS[n % 3]} {n * 7919:x}",
            target="abc"[(n + (n < wrong)) % 3],
            received_at=NOW - timedelta(days=n),
        )
        for n in range(count)
    ]
    command = prepare_dataset(
        kind=AgentKind.CLASSIFIER, data=DataPolicy(**policy), trust={"enabled": False}
    )
    prepared = prepare(preparation_inputs(lines, command=command), PreparationPolicy())
    assert isinstance(prepared, PreparedDataset)
    found = assess(command, prepared, [])
    return apply_limits(found.quality, command.data), found.prepared


def test_the_report_names_what_was_measured_and_what_was_not() -> None:
    quality, _ = assessed(wrong=2)

    assert quality.balance is not None
    assert quality.diversity is not None
    assert quality.balance.targets == 3
    assert quality.label_errors is not None
    assert {each.id for each in quality.label_errors.items} == {
        f"id of {TOPICS[n]} {n * 7919:x}" for n in range(2)
    }
    assert quality.leakage.pairs == 0
    assert quality.freshness.undated == 0
    assert quality.freshness.oldest is not None
    assert quality.freshness.oldest == NOW - timedelta(days=59)
    assert quality.drift is None
    assert "replay memory" in quality.unmeasured["drift"]
    assert quality.passed


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"minimum_items": 1000}, " new items, data.minimum_items is 1000"),
        ({"minimum_target_items": 30}, "items of the rarest target"),
        ({"maximum_target_proportion": 0.2}, "of the new items have the target"),
        ({"maximum_label_errors": 0.0}, "estimated to be wrong"),
        ({"maximum_age_seconds": 60.0}, "the newest item is 3600 s old"),
        ({"minimum_distinct_pairs": 1.0}, "of all word pairs are distinct"),
    ],
)
def test_a_broken_limit_refuses_with_its_figure(policy: dict[str, object], says: str) -> None:
    quality, _ = assessed(wrong=6, **policy)

    refused = refuse_by_limits(quality, DataPolicy(**policy), NOW + timedelta(hours=1))

    assert refused is not None
    assert says in refused.reason


def test_limits_that_hold_refuse_nothing() -> None:
    policy = {"minimum_items": 10, "maximum_leaked_pairs": 0, "maximum_age_seconds": 7200.0}
    quality, _ = assessed(**policy)

    assert quality.passed
    assert refuse_by_limits(quality, DataPolicy(**policy), NOW + timedelta(hours=1)) is None


def test_suspected_items_stay_and_weigh_less_where_the_policy_says_so() -> None:
    quality, prepared = assessed(wrong=6, suspect_weight=0.5)

    assert quality.label_errors is not None
    suspects = {each.id for each in quality.label_errors.items}
    weights = {g.item.id: g.item.weight for g in prepared.splits[Split.TRAIN]}
    assert suspects & weights.keys()
    assert all(weight == (0.5 if name in suspects else 1) for name, weight in weights.items())


def test_balance_of_one_target_is_even() -> None:
    balance = measure_balance([item("a"), item("b")])

    assert (balance.targets, balance.evenness, balance.largest_proportion) == (1, 1.0, 1.0)


def test_the_score_counts_unlike_texts() -> None:
    assert compute_vendi_score(["abcd"] * 5) == pytest.approx(1)
    assert compute_vendi_score(["abcd", "efgh", "ijkl"]) == pytest.approx(3)


@given(st.lists(texts, max_size=12), st.lists(texts, max_size=6), st.lists(texts, max_size=6))
def test_leakage_is_every_pair_across_the_parts(
    train: list[str], validation: list[str], test: list[str]
) -> None:
    parts = {Split.TRAIN: train, Split.VALIDATION: validation, Split.TEST: test}
    splits = {
        name: [GradedItem(item(text), 0.5) for text in found] for name, found in parts.items()
    }

    found = check_leakage(splits)

    def alike(one: str, other: str) -> bool:
        first, second = shingles(one), shingles(other)
        return len(first & second) / len(first | second) >= THRESHOLD

    pairs = [(a, b) for a in train for b in [*validation, *test]]
    pairs += [(a, b) for a in validation for b in test]
    assert found.pairs == sum(alike(item(a).key, item(b).key) for a, b in pairs)


def test_drift_from_nothing_refuses_nothing() -> None:
    """Memory fills when a version is deployed: the limit would else keep the first one away."""
    quality, _ = assessed(wrong=6, maximum_drift=1.0)

    assert refuse_by_limits(quality, DataPolicy(maximum_drift=1.0), NOW) is None
