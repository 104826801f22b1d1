"""Balance, diversity and age of a dataset's new items."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from archon_contracts.formats import Freshness, TargetBalance, TextDiversity
from services.data_prep.domain import NEVER, Item
from services.data_prep.seeded_hash import seeded_hash

LISTED_TARGETS: Final = 200
VENDI_SAMPLE: Final = 300


def measure_balance(items: Sequence[Item]) -> TargetBalance:
    """How the items are spread over their targets; items must not be empty."""
    counts = Counter(item.target for item in items)
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return TargetBalance(
        targets=len(counts),
        largest=ranked[0][0],
        largest_proportion=round(ranked[0][1] / len(items), 6),
        smallest_items=ranked[-1][1],
        seen_once=sum(count == 1 for count in counts.values()),
        evenness=round(_compute_evenness(list(counts.values())), 6),
        counts=dict(ranked[:LISTED_TARGETS]),
    )


def _compute_evenness(counts: Sequence[int]) -> float:
    """Shannon's entropy over its maximum (E. C. Pielou, 1966); 1 for a single target."""
    if len(counts) < 2:
        return 1.0
    total = sum(counts)
    entropy = -sum(count / total * math.log(count / total) for count in counts)
    return min(1.0, entropy / math.log(len(counts)))


def measure_diversity(items: Sequence[Item]) -> TextDiversity:
    """How unlike each other the inputs are; items must not be empty.

    Distinct words and pairs: J. Li et al., "A diversity-promoting objective function" (2016).
    """
    words = [item.key.split() for item in items]
    singles = [word for each in words for word in each]
    pairs = [pair for each in words for pair in pairwise(each)]
    sample = sorted(items, key=lambda item: (seeded_hash(0, "vendi", item.key), item.key))
    sample = sample[:VENDI_SAMPLE]
    return TextDiversity(
        distinct_1=round(len(set(singles)) / max(1, len(singles)), 6),
        distinct_2=round(len(set(pairs)) / max(1, len(pairs)), 6),
        mean_words=round(len(singles) / len(items), 3),
        vendi_score=round(compute_vendi_score([item.key for item in sample]), 3),
        sample=len(sample),
    )


def compute_vendi_score(texts: Sequence[str]) -> float:
    """The exponential of the entropy of the eigenvalues of K / n, K the cosine similarities of
    TF-IDF vectors: n for texts without anything in common, 1 for equal ones.

    Source: D. Friedman, A. Dieng, "The Vendi score" (2023), definition 3.1.
    """
    import numpy
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit_transform(texts)
    values = numpy.linalg.eigvalsh((vectors @ vectors.T).toarray() / len(texts))
    positive = values[values > 1e-12]
    return float(numpy.exp(-(positive * numpy.log(positive)).sum()))


def measure_freshness(items: Sequence[Item]) -> Freshness:
    """When the items were received; the sender's time where nobody noted that."""
    moments = sorted(item.known_at for item in items if item.known_at != NEVER)
    if not moments:
        return Freshness(dated=0, undated=len(items))
    return Freshness(
        dated=len(moments),
        undated=len(items) - len(moments),
        oldest=moments[0],
        median=moments[len(moments) // 2],
        newest=moments[-1],
    )
