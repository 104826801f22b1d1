"""Clusters of failures: as scikit-learn gives them, named by what is peculiar to them."""

from datetime import timedelta

import numpy as np
import pytest
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA

from services.evaluator.log_analysis.clusters import (
    NOISE,
    Vectors,
    describe_clusters,
    find_trend,
    label_clusters,
    name_clusters,
    weigh_terms,
)
from services.evaluator.log_analysis.interactions import AnalysedInteraction
from tests.support.messaging.messages import NOON


def blobs(*sizes: int, noise: int = 0, seed: int = 0) -> Vectors:
    """Unit vectors around one direction a size, and some in no direction."""
    rng = np.random.default_rng(seed)
    centres = np.eye(20)
    parts = [c + rng.normal(0, 0.02, (n, 20)) for c, n in zip(centres, sizes, strict=False)]
    rows = np.concatenate([*parts, rng.normal(0, 1, (noise, 20))]).astype(np.float32)
    found: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def interaction(number: int, text: str = "hello", **fields: object) -> AnalysedInteraction:
    values = {"id": str(number), "at": NOON + timedelta(hours=number), "request": text}
    return AnalysedInteraction(**(values | fields))  # type: ignore[arg-type]  # of one dataclass


def test_labels_are_those_of_scikit_learn_on_the_same_rows() -> None:
    rows = blobs(12, 9, noise=25)
    reduced = PCA(10, svd_solver="full").fit_transform(rows.astype(np.float64))
    model = HDBSCAN(min_cluster_size=5, min_samples=1, cluster_selection_method="leaf", copy=True)

    assert label_clusters(rows).tolist() == model.fit_predict(reduced).tolist()


def test_too_few_failures_are_no_cluster() -> None:
    assert set(label_clusters(blobs(4)).tolist()) == {NOISE}
    assert set(label_clusters(blobs(noise=9)).tolist()) == {NOISE}


@pytest.mark.parametrize("size", [5, 9])
def test_failures_of_one_topic_are_one_cluster(size: int) -> None:
    assert set(label_clusters(blobs(size)).tolist()) == {0}
    assert set(label_clusters(np.repeat(blobs(1), 3 * size, axis=0)).tolist()) == {0}


def test_the_weight_of_a_word_is_that_of_the_paper() -> None:
    counts = np.array([[3, 1, 0], [0, 1, 5]])

    weights = weigh_terms(counts)

    # Mean words of a class: 5; frequencies of the words: 3, 2, 5.
    assert weights[0] == pytest.approx([3 / 4 * np.log(1 + 5 / 3), 1 / 4 * np.log(1 + 5 / 2), 0.0])


def test_a_name_has_no_word_that_all_requests_share() -> None:
    texts = ["please refund my order"] * 3 + ["please cancel my flight"] * 3
    labels = np.array([0, 0, 0, 1, 1, 1])

    refund, cancel = name_clusters(texts, labels, ["please help"] * 40)

    assert (refund[0], cancel[0]) == ("order", "cancel")
    assert "refund" in refund[:2]


@pytest.mark.parametrize("text", ["the of and", "退款退款", "!!!"])
def test_requests_without_ordinary_words_have_a_name_or_a_number(text: str) -> None:
    failures = [interaction(n, text, failures=("error",)) for n in range(6)]

    (found,) = describe_clusters(failures, blobs(6), np.zeros(6, dtype=np.int64), failures)

    assert found.name
    assert found.size == 6


def test_a_cluster_has_its_evidence_and_cases_with_right_answers_first() -> None:
    failures = [
        interaction(n, f"refund {n}", failures=("corrected",) if n == 4 else ("low_rating",),
                    correction="yes" if n == 4 else "", answer="no")
        for n in range(6)
    ]  # fmt: skip

    (found,) = describe_clusters(failures, blobs(6), np.zeros(6, dtype=np.int64), failures)

    assert (found.corrected, found.kinds) == (1, {"low_rating": 5, "corrected": 1})
    assert sorted(found.interaction_ids) == [str(n) for n in range(6)]
    assert (found.proposed_cases[0].id, found.proposed_cases[0].target) == ("4", "yes")
    assert found.proposed_cases[1].wrong == "no"


def test_a_trend_is_shown_only_beyond_the_growth_of_traffic() -> None:
    everything = [interaction(n) for n in range(100)]
    late, spread = everything[80:], everything[::5]

    assert find_trend(late, everything).direction == "growing"
    assert find_trend(everything[:20], everything).direction == "shrinking"
    assert find_trend(spread, everything).direction == "steady"
    assert sum(find_trend(late, everything).bins) == 20
    assert find_trend(everything[:1] * 3, everything[:1]).direction == "steady"
