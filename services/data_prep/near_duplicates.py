"""Inputs that differ by a typo or a word ending, found by the n-grams that they share."""

from __future__ import annotations

import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

SHINGLE_LENGTH = 4
ROUNDING = 1e-9
PERMUTATIONS = 64
MISSES_WEIGH_MORE = (0.1, 0.9)
"""Candidates are compared exactly afterwards: a false one costs time, a missed one is lost."""


def clusters(texts: Sequence[str], threshold: float, exact_limit: int) -> list[int]:
    """For every text the position of the first text of its cluster.

    Two texts are near duplicates when the Jaccard index of their character 4-grams reaches the
    threshold; a cluster is everything joined by such pairs. Up to `exact_limit` texts every pair
    is found; beyond, MinHash finds most of them in time that grows only linearly.
    """
    pairs = _every_pair if len(texts) <= exact_limit else _most_pairs
    roots = list(range(len(texts)))
    for first, second in pairs(texts, threshold):
        low, high = sorted((_root(roots, first), _root(roots, second)))
        roots[high] = low
    return [_root(roots, position) for position in range(len(texts))]


def shingles(text: str) -> set[str]:
    """The character 4-grams of a text, its edges marked by a space."""
    padded = f" {text} "
    last = max(1, len(padded) - SHINGLE_LENGTH + 1)
    return {padded[start : start + SHINGLE_LENGTH] for start in range(last)}


def _similar(first: set[str], second: set[str], threshold: float) -> bool:
    small, large = sorted((len(first), len(second)))
    if small < threshold * large - ROUNDING:
        return False
    shared = len(first & second)
    return shared >= threshold * (small + large - shared) - ROUNDING


def _every_pair(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int]]:
    """Similar pairs, found among those that share one of their rarest n-grams; none is missed.

    Two sets whose Jaccard index reaches t must share one of the first |s| - ceil(t |s|) + 1
    members in any fixed order of all members (R. J. Bayardo, Y. Ma, R. Srikant, "Scaling up all
    pairs similarity search", 2007). Rarest first keeps the lists short.
    """
    sets = [shingles(text) for text in texts]
    frequency = Counter(gram for grams in sets for gram in grams)
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for position, grams in enumerate(sets):
        size = len(grams)
        rarest = sorted(grams, key=lambda gram: (frequency[gram], gram))
        # Rounded down a little: the product of two floats must not cost a member.
        prefix = rarest[: size - math.ceil(threshold * size - ROUNDING) + 1]
        for other in {other for gram in prefix for other in holders[gram]}:
            if _similar(grams, sets[other], threshold):
                yield other, position
        for gram in prefix:
            holders[gram].append(position)


def _most_pairs(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int]]:
    """Similar pairs, found among those whose MinHash signatures collide in a band."""
    # Half a second and 56 MB, which only a large dataset is worth.
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, weights=MISSES_WEIGH_MORE)
    encoded = ([gram.encode() for gram in shingles(text)] for text in texts)
    signatures = MinHash.generator(encoded, num_perm=PERMUTATIONS, hashfunc=zlib.crc32)
    for position, signature in enumerate(signatures):
        for other in index.query(signature):
            if _similar(shingles(texts[position]), shingles(texts[other]), threshold):
                yield other, position
        index.insert(position, signature)


def _root(roots: list[int], position: int) -> int:
    while roots[position] != position:
        roots[position] = roots[roots[position]]
        position = roots[position]
    return position
