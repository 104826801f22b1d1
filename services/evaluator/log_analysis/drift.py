"""Whether requests come from the distribution of the training data. Only a child imports this.

N training texts, M requests, H units of a vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import binomtest, permutation_test
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import train_test_split

PERMUTATIONS: Final = 499
SEED: Final = 20_261_130
ALPHA: Final = 0.01

Vectors = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class MeanDiscrepancy:
    """Maximum mean discrepancy of two samples, and how probable it is without drift."""

    squared: float
    p_value: float
    bandwidth: float


@dataclass(frozen=True, slots=True)
class ClassifierTest:
    """How well a classifier separates two samples on held-out rows."""

    accuracy: float
    p_value: float
    auroc: float
    held_out: int


def compare_means(reference_NH: Vectors, current_MH: Vectors) -> MeanDiscrepancy:
    """Unbiased squared MMD with a Gaussian kernel, and the p of a permutation test.

    A. Gretton et al., "A kernel two-sample test", JMLR 13, 2012, eq. 3; the bandwidth is the median
    distance of the pooled rows. The p-value counts the observed value among the permutations, as
    `scipy.stats.permutation_test` does.
    """
    pooled = np.concatenate([reference_NH, current_MH]).astype(np.float64)
    bandwidth = float(np.median(pdist(pooled))) or 1.0
    kernel = rbf_kernel(pooled, gamma=1 / (2 * bandwidth**2))
    # A row beside itself says nothing of either sample: the unbiased estimate leaves it out.
    np.fill_diagonal(kernel, 0.0)
    total = kernel.sum()

    def statistic(first: Any, second: Any, axis: int = -1) -> Any:
        """Squared MMD of rows of `pooled` named by `first` [..., N] and `second` [..., M]."""
        n, m = first.shape[axis], second.shape[axis]
        chosen = np.zeros((*first.shape[:-1], len(pooled)))
        np.put_along_axis(chosen, first.astype(int), 1.0, axis=axis)
        within = chosen @ kernel
        same = (chosen * within).sum(axis=axis)
        across = within.sum(axis=axis) - same
        other = total - same - 2 * across
        return same / (n * (n - 1)) + other / (m * (m - 1)) - 2 * across / (n * m)

    places = np.arange(len(pooled))
    found = permutation_test(
        (places[: len(reference_NH)], places[len(reference_NH) :]),
        statistic,
        permutation_type="independent",
        vectorized=True,
        n_resamples=PERMUTATIONS,
        batch=100,
        alternative="greater",
        rng=np.random.default_rng(SEED),
    )
    return MeanDiscrepancy(float(found.statistic), float(found.pvalue), bandwidth)


def compare_by_classifier(reference_NH: Vectors, current_MH: Vectors) -> ClassifierTest:
    """Train logistic regression on half of the rows and test it on the other half.

    D. Lopez-Paz, M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017: without drift each
    held-out row is right with probability 1/2. Both samples are cut to the same size, because that
    needs equal ones.
    """
    rows = min(len(reference_NH), len(current_MH))
    rng = np.random.default_rng(SEED)
    parts = [
        part[np.sort(rng.permutation(len(part))[:rows])] for part in (reference_NH, current_MH)
    ]
    vectors = np.concatenate(parts).astype(np.float64)
    labels = np.repeat((0, 1), rows)
    train, test, train_labels, test_labels = train_test_split(
        vectors, labels, test_size=0.5, stratify=labels, random_state=SEED
    )
    model = LogisticRegression(max_iter=1_000).fit(train, train_labels)
    right = int((model.predict(test) == test_labels).sum())
    return ClassifierTest(
        accuracy=right / len(test_labels),
        p_value=float(binomtest(right, len(test_labels), 0.5, alternative="greater").pvalue),
        auroc=float(roc_auc_score(test_labels, model.predict_proba(test)[:, 1])),
        held_out=len(test_labels),
    )


def has_drifted(mean: MeanDiscrepancy, classifier: ClassifierTest) -> bool:
    """Whether the smaller of the two p-values, doubled (Holm), is at most 0.01."""
    return 2 * min(mean.p_value, classifier.p_value) <= ALPHA


def find_farthest(reference_NH: Vectors, current_MH: Vectors, most: int) -> list[int]:
    """Rows of `current` whose nearest training text is least similar, the farthest first."""
    nearest = (_unit(current_MH) @ _unit(reference_NH).T).max(axis=1)
    return [int(place) for place in np.argsort(nearest, kind="stable")[:most]]


def _unit(vectors: Vectors) -> Vectors:
    found: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return found
