"""Agreement, and labels out of annotators who err."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.formats import TrainingItem
from deploy.cli.data.datasets import build_review_tasks
from services.data_prep.cleaning.annotation import krippendorff_alpha
from services.data_prep.cleaning.cleaning import TIED_LABELS
from services.data_prep.domain import PreparationCounters
from services.data_prep.labelling.agreement import compute_pairwise_kappa, measure_agreement
from services.data_prep.labelling.dawid_skene import fit_dawid_skene
from services.data_prep.labelling.resolution import MINIMUM_ITEMS, resolve_labels
from tests.support.data.datasets import annotations, record

# Krippendorff (2011), reliability data of four observers.
DATA = {
    "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
}
UNITS = [[v for v in column if v is not None] for column in zip(*DATA.values(), strict=True)]
numbers = st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=8)


@pytest.mark.parametrize(
    ("distance", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_the_textbook_example_gives_the_textbook_values(distance: str, alpha: float) -> None:
    found = measure_agreement(UNITS, distance)  # type: ignore[arg-type]  # of the parameters

    assert found.alpha == pytest.approx(alpha, abs=0.0005)


@given(numbers)
def test_of_labels_without_an_order_both_ways_agree(units: list[list[int]]) -> None:
    matrix, pairs = measure_agreement(units, "nominal"), krippendorff_alpha(units)

    assert (matrix.units, matrix.ratings) == (pairs.units, pairs.ratings)
    assert matrix.alpha == (None if pairs.alpha is None else pytest.approx(pairs.alpha))


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), min_size=1)))
def test_estimates_are_probabilities_of_labels_that_were_given(items: list[dict[str, str]]) -> None:
    model = fit_dawid_skene(items)

    assert len(model.items) == len(items)
    given_labels = {label for item in items for label in item.values()}
    assert all(0 < each.probability <= 1 and each.label in given_labels for each in model.items)
    assert all(0 <= accuracy <= 1 for accuracy in model.accuracy.values())


def votes(count: int, seed: int = 0) -> tuple[list[dict[str, str]], list[str]]:
    """Labels of one careful annotator and of two who guess, and the truth."""
    rng = random.Random(seed)
    truth = [rng.choice("xy") for _ in range(count)]
    skill = {"careful": 0.95, "guess-1": 0.55, "guess-2": 0.55, "guess-3": 0.55}
    items = [
        {name: t if rng.random() < p else "xy"["yx".index(t)] for name, p in skill.items()}
        for t in truth
    ]
    return items, truth


def test_a_careful_annotator_outweighs_those_who_guess() -> None:
    items, truth = votes(400)

    model = fit_dawid_skene(items)

    right = sum(e.label == t for e, t in zip(model.items, truth, strict=True)) / 400
    assert right > 0.9
    assert model.accuracy["careful"] == max(model.accuracy.values())


def annotated(count: int) -> list[TrainingItem]:
    """Records that three annotators labelled."""
    return [
        record(f"q {n}", annotations=annotations(*("xxy", "xyx")[n % 2], by=("a", "b", "c")))
        for n in range(count)
    ]


def test_few_items_are_left_to_the_majority() -> None:
    found = annotated(MINIMUM_ITEMS - 1)

    assert resolve_labels(found, PreparationCounters()) == (found, None)


def test_what_stays_open_is_left_out_counted_and_listed() -> None:
    agreed = [
        record(f"q {n}", annotations=annotations(label, label, by=("a", "b")))
        for n, label in enumerate("xy" * 15)
    ]
    split = record("open", annotations=annotations("x", "y", by=("a", "b")))
    counters = PreparationCounters()

    resolved, report = resolve_labels([*agreed, split], counters)

    assert [each.target for each in resolved] == list("xy" * 15)
    assert report is not None
    assert [each.text for each in report.disputed_items] == ["open"]
    assert counters.unusable == {TIED_LABELS: 1}
    tasks = build_review_tasks({"annotators": report.model_dump(mode="json")}, 10)
    assert tasks["items"] == [{"request": "open", "answers": ["x"]}]
    assert tasks["labels"] == ["x", "y"]


def test_a_stated_target_is_kept() -> None:
    stated = record("s", target="z", annotations=annotations("x", "x", by=("a", "b")))

    resolved, _ = resolve_labels([*annotated(40), stated], PreparationCounters())

    assert resolved[-1].target == "z"


def test_kappa_is_the_mean_over_the_pairs() -> None:
    items = [{"a": "x", "b": "x"}, {"a": "y", "b": "y"}, {"a": "x", "b": "y"}, {"a": "y", "b": "y"}]

    assert compute_pairwise_kappa(items) == pytest.approx(0.5)
    assert compute_pairwise_kappa([{"a": "x"}]) is None


def test_a_label_that_nobody_contradicts_stays_however_few_votes_there_are() -> None:
    """Many labels with few votes each: error rates are guesses."""
    rng = random.Random(0)
    records = [
        record(str(n), annotations=annotations(*[f"l{n % 20}"] * 2, by=rng.sample("abcdefgh", 2)))
        for n in range(2 * MINIMUM_ITEMS)
    ]

    resolved, report = resolve_labels(records, PreparationCounters())

    assert [each.target for each in resolved] == [f"l{n % 20}" for n in range(len(records))]
    assert report is not None
    assert report.disputed == 0


def test_answers_in_free_text_are_left_to_the_majority() -> None:
    texts = [
        record(str(n), annotations=annotations(*[f"text {n}"] * 2, by="ab")) for n in range(2000)
    ]

    assert resolve_labels(texts, PreparationCounters()) == (texts, None)
