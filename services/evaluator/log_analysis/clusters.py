"""Groups of failures with similar requests, named by their words. Only a child imports this.

N failures, H units of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from scipy.stats import binomtest
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer

from archon_contracts.events import FailureCluster, FailureTrend, ProposedCase
from services.evaluator.log_analysis.interactions import AnalysedInteraction, count_kinds, cut

SMALLEST_CLUSTER: Final = 5
DIMENSIONS: Final = 10
"""Principal components: in 384 dimensions all distances are alike, and HDBSCAN finds nothing.
Chosen with the leaf selection on validation rows: most clusters of one topic."""
ONE_TOPIC: Final = 0.6
"""Coherence of one topic. On validation rows 95 of 100 single intents have more, and no mix of
arbitrary requests has more than 0.45."""
TERMS: Final = 4
SHOWN_CLUSTERS: Final = 12
SHOWN_IDS: Final = 50
SHOWN_EXAMPLES: Final = 5
CASE_CHARACTERS: Final = 2_000
BINS: Final = 10
NOISE: Final = -1
SIGNIFICANT: Final = 0.05

Vectors = np.ndarray[Any, np.dtype[np.float32]]
Labels = np.ndarray[Any, np.dtype[np.int64]]


def label_clusters(vectors_NH: Vectors) -> Labels:
    """The cluster of each row, -1 where it is in none: HDBSCAN on principal components.

    R. J. G. B. Campello, D. Moulavi, J. Sander, "Density-based clustering based on hierarchical
    density estimates", 2013.
    """
    rows = len(vectors_NH)
    found: Labels = np.full(rows, NOISE)
    if rows < SMALLEST_CLUSTER:
        return found
    if rows >= 2 * SMALLEST_CLUSTER and np.ptp(vectors_NH, axis=0).any():
        dimensions = min(DIMENSIONS, *vectors_NH.shape)
        # Doubles and the full decomposition: the same rows give the same clusters everywhere.
        reduced = PCA(dimensions, svd_solver="full").fit_transform(vectors_NH.astype(np.float64))
        found = HDBSCAN(
            min_cluster_size=SMALLEST_CLUSTER,
            min_samples=1,
            cluster_selection_method="leaf",
            copy=True,
        ).fit_predict(reduced)
    # HDBSCAN compares densities, so it sees none where all failures are of one topic.
    if (found == NOISE).all() and measure_coherence(vectors_NH) >= ONE_TOPIC:
        return np.zeros(rows, dtype=np.int64)
    return found


def measure_coherence(vectors_NH: Vectors) -> float:
    """The median cosine of the rows, which are of length one, with their mean."""
    mean = vectors_NH.mean(axis=0)
    return float(np.median(vectors_NH @ mean) / max(np.linalg.norm(mean), 1e-12))


def name_clusters(texts: Sequence[str], labels: Labels, others: Sequence[str]) -> list[list[str]]:
    """The most characteristic words of each cluster, by class-based TF-IDF.

    The weight of word t in class c is tf(t, c) log(1 + A / f(t)), with A the mean number of words
    of a class and f the frequency in all classes (M. Grootendorst, "BERTopic", 2022, eq. 3); tf is
    divided by the words of the class. Requests in no cluster, and `others`, are a class, too, so
    that words that all users write name nothing.
    """
    classes = [
        " \n ".join(text for text, label in zip(texts, labels, strict=True) if label == number)
        for number in range(labels.max(initial=NOISE) + 1)
    ]
    rest = [text for text, label in zip(texts, labels, strict=True) if label == NOISE]
    documents = [*classes, " \n ".join([*rest, *others])]
    counted = _count_words(documents)
    if counted is None:
        return [[] for _ in classes]
    counts, words = counted
    weights = weigh_terms(counts)
    return [
        [words[place] for place in np.argsort(-row, kind="stable")[:TERMS] if row[place] > 0]
        for row in weights[:-1]
    ]


def weigh_terms(counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Class-based TF-IDF of counts [classes, words]; see `name_clusters`."""
    frequencies = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mean_words = counts.sum() / max(len(counts), 1)
    weights: np.ndarray[Any, Any] = frequencies * np.log1p(
        mean_words / np.maximum(counts.sum(axis=0), 1)
    )
    return weights


def _count_words(documents: Sequence[str]) -> tuple[np.ndarray[Any, Any], list[str]] | None:
    # Scripts without spaces, or requests of stop words alone: then any word, then any character.
    for options in ({"stop_words": "english"}, {}, {"analyzer": "char", "ngram_range": (2, 3)}):
        vectorizer = CountVectorizer(max_features=20_000, **options)
        try:
            counts = vectorizer.fit_transform(documents).toarray()
        except ValueError:
            continue  # an empty vocabulary
        return counts, list(vectorizer.get_feature_names_out())
    return None


def describe_clusters(
    failures: Sequence[AnalysedInteraction],
    vectors_NH: Vectors,
    labels: Labels,
    interactions: Sequence[AnalysedInteraction],
) -> list[FailureCluster]:
    """The clusters with evidence, trend and proposed test cases, the largest first."""
    failed = {each.id for each in failures}
    well = [each.request for each in interactions if each.id not in failed]
    named = name_clusters([each.request for each in failures], labels, well)
    found = []
    for number, terms in enumerate(named):
        rows = np.flatnonzero(labels == number)
        centre = vectors_NH[rows].mean(axis=0)
        # The most typical first: they are what a person reads.
        ordered = rows[np.argsort(-(vectors_NH[rows] @ centre), kind="stable")]
        members = [failures[row] for row in ordered]
        found.append(_describe(number, terms, members, len(failures), interactions))
    return sorted(found, key=lambda each: (-each.size, each.name))[:SHOWN_CLUSTERS]


def _describe(
    number: int,
    terms: Sequence[str],
    members: Sequence[AnalysedInteraction],
    failures: int,
    interactions: Sequence[AnalysedInteraction],
) -> FailureCluster:
    corrected = [each for each in members if "corrected" in each.failures]
    # Those with a right answer first: they are tests at once.
    proposed = sorted(members, key=lambda each: not each.correction)
    return FailureCluster(
        name=", ".join(terms) or f"cluster {number + 1}",
        terms=tuple(terms),
        size=len(members),
        proportion=len(members) / failures,
        corrected=len(corrected),
        kinds=count_kinds(members),
        trend=find_trend(members, interactions),
        interaction_ids=tuple(each.id for each in members[:SHOWN_IDS]),
        evidence=tuple(each.show() for each in members[:SHOWN_EXAMPLES]),
        proposed_cases=tuple(
            ProposedCase(
                id=each.id,
                request=cut(each.request, CASE_CHARACTERS),
                target=cut(each.correction, CASE_CHARACTERS),
                wrong=cut(each.answer, CASE_CHARACTERS),
            )
            for each in proposed[:SHOWN_EXAMPLES]
        ),
    )


def find_trend(
    members: Sequence[AnalysedInteraction], interactions: Sequence[AnalysedInteraction]
) -> FailureTrend:
    """Whether the members fall in the later half of the period more often than all interactions.

    The period is that of `interactions`; its halves have equally many seconds, and the test knows
    how many interactions each has: more traffic is no trend.
    """
    times = [each.at.timestamp() for each in interactions]
    start, end = min(times), max(times)
    edges = np.linspace(start, end, BINS + 1)
    counts, _ = np.histogram([each.at.timestamp() for each in members], edges)
    bins = tuple(int(count) for count in counts)
    middle = (start + end) / 2
    expected = sum(moment > middle for moment in times) / len(times)
    late = sum(each.at.timestamp() > middle for each in members)
    if not 0 < expected < 1:
        return FailureTrend(bins=bins, direction="steady", p_value=1.0)
    p_value = float(binomtest(late, len(members), expected).pvalue)
    if p_value > SIGNIFICANT:
        return FailureTrend(bins=bins, direction="steady", p_value=p_value)
    growing = late / len(members) > expected
    direction = "growing" if growing else "shrinking"
    return FailureTrend(bins=bins, direction=direction, p_value=p_value)
