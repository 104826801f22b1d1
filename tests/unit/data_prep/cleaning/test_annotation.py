"""Agreement of annotators."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.formats import Annotation
from services.data_prep.cleaning.annotation import (
    krippendorff_alpha,
    last_labels,
    majority_label,
)

units = st.lists(st.lists(st.sampled_from("abc"), max_size=4))


def test_the_textbook_example_gives_the_textbook_value() -> None:
    # Krippendorff (2011), reliability data of four observers; nominal alpha 0.743.
    data = {
        "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    }
    columns = [[v for v in column if v is not None] for column in zip(*data.values(), strict=True)]

    assert krippendorff_alpha(columns).alpha == pytest.approx(0.743, abs=0.0005)


def test_full_agreement_is_one() -> None:
    assert krippendorff_alpha(["aa", "bb", "bbb"]).alpha == 1.0


@pytest.mark.parametrize("labels", [[], ["a", "b"], ["aa", "aaa"]])
def test_without_disagreement_to_expect_there_is_no_alpha(labels: list[str]) -> None:
    assert krippendorff_alpha(labels).alpha is None


@given(units)
def test_alpha_never_exceeds_one_and_ignores_single_labels(found: list[list[str]]) -> None:
    agreement = krippendorff_alpha(found)

    assert agreement.alpha is None or agreement.alpha <= 1.0
    assert agreement == krippendorff_alpha([*found, ["a"]])


@given(units)
def test_the_names_of_labels_do_not_matter(found: list[list[str]]) -> None:
    renamed = [[{"a": "x", "b": "a", "c": "y"}[label] for label in unit] for unit in found]

    assert krippendorff_alpha(renamed) == krippendorff_alpha(found)


def disagreement(pairs: list[tuple[str, str]]) -> float:
    return sum(one != other for one, other in pairs) / len(pairs)


@given(units)
def test_alpha_is_one_less_the_ratio_of_observed_to_expected_disagreement(
    found: list[list[str]],
) -> None:
    pairable = [unit for unit in found if len(unit) > 1]
    labels = [label for unit in pairable for label in unit]
    # Each unit's pairs apply_trust as many labels as it has.
    observed = sum(
        len(unit) * disagreement(list(itertools.permutations(unit, 2))) for unit in pairable
    )
    expected = disagreement(list(itertools.permutations(labels, 2))) if labels else 0.0

    alpha = krippendorff_alpha(found).alpha

    if expected:
        assert alpha == pytest.approx(1 - observed / len(labels) / expected)
    else:
        assert alpha is None


@pytest.mark.parametrize(("labels", "agreed"), [("aab", "a"), ("ab", None), ("", None), ("b", "b")])
def test_the_majority_decides_and_a_tie_does_not(labels: str, agreed: str | None) -> None:
    assert majority_label(list(labels)) == agreed


def test_of_each_annotator_the_last_label_counts_once() -> None:
    sent = [("ann", "a"), ("bob", "b"), ("ann", "a"), ("ann", "c"), ("", "d"), ("", "d")]
    labels = [Annotation(annotator_id=name, label=label) for name, label in sent]

    assert [(a.annotator_id, a.label) for a in last_labels(labels)] == [
        *[("ann", "c"), ("bob", "b"), ("", "d"), ("", "d")]
    ]
