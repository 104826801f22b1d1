"""Failure clusters and drift in real requests: equal to scikit-learn and scipy, and what they find.

A log's failures are 20 requests of one CLINC150 intent, the planted topic, among 200 of all other
intents. It is found when a cluster has at least half of it and at least 80 % of the cluster is of
it. Drift: 250 requests of five domains beside 250 other texts of the same ones; with drift 20 %
of the requests are of a domain that is not in the training data.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest, permutation_test
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import train_test_split

from services.evaluator.log_analysis.clusters import label_clusters
from services.evaluator.log_analysis.drift import (
    PERMUTATIONS,
    SEED,
    compare_by_classifier,
    compare_means,
    has_drifted,
)
from tests.benchmarks.harness import Figure
from tests.benchmarks.learning.clinc import DATA_FILE as DATA_FILE
from tests.benchmarks.learning.clinc import (
    Domain,
    FrozenVectors,
    Row,
    Vectors,
    read_domains,
    unit,
)

SEEDS = (101, 102, 103)
LOGS = 20
"""Simulated logs a seed."""
PLANTED, OTHERS = 20, 200
SAMPLE = 250
NEW_PROPORTION = 0.2
TEST_PER_INTENT = 30
PURE, COMPLETE = 0.8, 0.5
COMPARED = 1
"""Logs a seed that are given to the libraries themselves, too."""
TINY = {
    "SEEDS": (1,),
    "LOGS": 1,
    "SAMPLE": 20,
    "OTHERS": 20,
    "TEST_PER_INTENT": 2,
    "PLANTED": 2,
    "COMPARED": 1,
}


def run() -> list[Figure]:
    """Proportions over all logs of all seeds, and largest differences to the libraries."""
    frozen = FrozenVectors()
    found: list[bool] = []
    drifted: dict[bool, list[bool]] = {False: [], True: []}
    differences: list[float] = []
    for seed in SEEDS:
        rng = random.Random(seed)
        domains = read_domains(seed, train=0, test=TEST_PER_INTENT)
        tested = [row for domain in domains for row in domain.test]
        for number in range(LOGS):
            vectors, planted = draw_failures(tested, frozen, rng)
            labels = label_clusters(vectors)
            found.append(is_found(labels, planted))
            for new in (False, True):
                old, current = draw_requests(domains, frozen, rng, new=new)
                mean, classifier = compare_means(old, current), compare_by_classifier(old, current)
                drifted[new].append(has_drifted(mean, classifier))
                if number < COMPARED:
                    differences += compare_with_libraries(vectors, labels, old, current)
    return [
        Figure(name="planted failure topic found", figure=float(np.mean(found)), unit=""),
        Figure(
            name="drift reported without drift",
            figure=float(np.mean(drifted[False])),
            unit="",
            reach=0.05,
            higher_is_better=False,
        ),
        Figure(
            name="drift reported with 20 % of a new domain",
            figure=float(np.mean(drifted[True])),
            unit="",
            reach=0.9,
        ),
        Figure(
            name="largest difference to scikit-learn and scipy",
            figure=max(differences),
            unit="",
            reach=1e-9,
            higher_is_better=False,
        ),
    ]


def draw_failures(
    tested: list[Row], frozen: FrozenVectors, rng: random.Random
) -> tuple[Vectors, np.ndarray[Any, Any]]:
    """Unit vectors of the failures of one log, and which of them are of the planted topic."""
    topic = rng.choice(sorted({intent for _, intent in tested}))
    inside = rng.sample([row for row in tested if row[1] == topic], PLANTED)
    outside = rng.sample([row for row in tested if row[1] != topic], OTHERS)
    rows = rng.sample([*inside, *outside], PLANTED + OTHERS)
    return _embed(rows, frozen), np.array([intent == topic for _, intent in rows])


def is_found(labels: np.ndarray[Any, Any], planted: np.ndarray[Any, Any]) -> bool:
    """Whether a cluster is of the planted topic, and has enough of it."""
    return any(
        planted[labels == number].mean() >= PURE
        and (planted & (labels == number)).sum() >= COMPLETE * planted.sum()
        for number in range(labels.max() + 1)
    )


def draw_requests(
    domains: list[Domain], frozen: FrozenVectors, rng: random.Random, *, new: bool
) -> tuple[Vectors, Vectors]:
    """Texts of five domains, and requests of the same; with `new` some of a sixth.

    Both are test rows, and no row is in both: the training rows of the set are written differently.
    """
    known, other = domains[:5], domains[5]
    rows = rng.sample([row for domain in known for row in domain.test], 2 * SAMPLE)
    added = rng.sample(other.test, round(SAMPLE * NEW_PROPORTION)) if new else []
    asked = [*rows[SAMPLE + len(added) :], *added]
    return _embed(rows[:SAMPLE], frozen), _embed(asked, frozen)


def _embed(rows: Sequence[Row], frozen: FrozenVectors) -> Vectors:
    return unit(frozen.embed([text for text, _ in rows]))


def compare_with_libraries(
    vectors: Vectors, labels: np.ndarray[Any, Any], old: Vectors, current: Vectors
) -> list[float]:
    """Differences of labels, discrepancy, p-values and accuracy to the libraries' own."""
    reduced = PCA(10, svd_solver="full").fit_transform(vectors.astype(np.float64))
    model = HDBSCAN(5, min_samples=1, cluster_selection_method="leaf", copy=True)
    expected = model.fit_predict(reduced)
    # Where it finds none, one topic may be all of the failures: that is a rule of ours.
    clusters = 0.0 if (expected == -1).all() else float((labels != expected).mean())
    a, b = old.astype(np.float64), current.astype(np.float64)
    mean = compare_means(old, current)
    gamma = 1 / (2 * mean.bandwidth**2)
    pooled = np.concatenate([a, b])

    def squared(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float:
        """The estimate as the paper writes it, from rows of `pooled`."""
        first, second = pooled[x.astype(int)], pooled[y.astype(int)]
        n, m = len(x), len(y)
        same = (rbf_kernel(first, gamma=gamma).sum() - n) / (n * (n - 1))
        other = (rbf_kernel(second, gamma=gamma).sum() - m) / (m * (m - 1))
        return float(same + other - 2 * rbf_kernel(first, second, gamma=gamma).mean())

    places = np.arange(len(pooled))
    plain = permutation_test(
        (places[: len(a)], places[len(a) :]),
        squared,
        n_resamples=PERMUTATIONS,
        alternative="greater",
        rng=np.random.default_rng(SEED),
    )
    classifier = compare_by_classifier(old, current)
    accuracy, p_value = _classify(a, b)
    return [
        clusters,
        abs(mean.squared - plain.statistic),
        abs(mean.p_value - plain.pvalue),
        abs(classifier.accuracy - accuracy),
        abs(classifier.p_value - p_value),
    ]


def _classify(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> tuple[float, float]:
    """The same split, fitted and scored by scikit-learn alone."""
    rng, n = np.random.default_rng(SEED), min(len(a), len(b))
    first = a[np.sort(rng.permutation(len(a))[:n])]
    rows = np.concatenate([first, b[np.sort(rng.permutation(len(b))[:n])]])
    labels = np.array([0] * n + [1] * n)
    train, test, train_labels, test_labels = train_test_split(
        rows, labels, test_size=0.5, stratify=labels, random_state=SEED
    )
    score = LogisticRegression(max_iter=1_000).fit(train, train_labels).score(test, test_labels)
    right = round(score * len(test))
    return float(score), float(binomtest(right, len(test), 0.5, alternative="greater").pvalue)
