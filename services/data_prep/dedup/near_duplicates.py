"""Inputs that differ by a typo or a word ending, found by the n-grams that they share."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from shared.similarity import LSH_ERROR_WEIGHTS, PERMUTATIONS, TOLERANCE, PrefixIndex

SHINGLE_LENGTH = 4

EXCERPTS: Final = 4
EXCERPT_CHARACTERS: Final = 128
"""Characters. Of a longer text evenly spread pieces are looked at, its head and tail among them:
a head alone would make one of all inputs that begin with the same long instructions."""

MAXIMUM_CANDIDATES: Final = 1024
MAXIMUM_FAILED_COMPARISONS: Final = 64
"""Of one text: candidates that are looked at, and comparisons that find no likeness. No more, or
inputs made to be nearly alike would cost time that grows with the square of their number."""


def cluster_near_duplicates(
    texts: Sequence[str],
    threshold: float,
    exact_limit: int,
    *,
    most_failed: int = MAXIMUM_FAILED_COMPARISONS,
) -> list[int]:
    """For every text the position of the first text of its cluster.

    Equal texts are in one cluster, however long they are. Two others are near duplicates when the
    Jaccard index of their character 4-grams reaches the threshold; a cluster is everything joined
    by such pairs. Up to `exact_limit` texts every pair is found, unless one is like very many;
    beyond, MinHash finds most of them.
    """
    first: dict[str, int] = {}
    for position, text in enumerate(texts):
        first.setdefault(text, position)
    distinct, places = list(first), list(first.values())
    join = _join_every_pair if len(distinct) <= exact_limit else _join_most_pairs
    roots = list(range(len(distinct)))
    join([shingles(text) for text in distinct], threshold, roots, most_failed)
    root_of = {text: places[_root(roots, n)] for n, text in enumerate(distinct)}
    return [root_of[text] for text in texts]


def shingles(text: str) -> set[str]:
    """The character 4-grams of a text, its edges marked by a space; of a bounded part of it."""
    padded = f" {_excerpts(text)} "
    last = max(1, len(padded) - SHINGLE_LENGTH + 1)
    return {padded[start : start + SHINGLE_LENGTH] for start in range(last)}


def _excerpts(text: str) -> str:
    if len(text) <= EXCERPTS * EXCERPT_CHARACTERS:
        return text
    step = (len(text) - EXCERPT_CHARACTERS) / (EXCERPTS - 1)
    starts = (round(step * number) for number in range(EXCERPTS))
    return " ".join(text[start : start + EXCERPT_CHARACTERS] for start in starts)


def _is_similar(first: set[str], second: set[str], threshold: float) -> bool:
    small, large = sorted((len(first), len(second)))
    # The Jaccard index is small / large at most, so most pairs end here without an intersection.
    if small < threshold * large - TOLERANCE:
        return False
    shared = len(first & second)
    return shared >= threshold * (small + large - shared) - TOLERANCE


def _join_every_pair(
    sets: Sequence[set[str]], threshold: float, roots: list[int], most_failed: int
) -> None:
    """Join similar pairs, found among those that share one of their rarest n-grams."""
    frequency = Counter(gram for grams in sets for gram in grams)
    index: PrefixIndex[str] = PrefixIndex(threshold)
    for position, grams in enumerate(sets):
        rarest_first = sorted(grams, key=lambda gram: (frequency[gram], gram))
        near = index.candidates(rarest_first)
        _join(position, near, sets, threshold, roots, most_failed)
        index.add(rarest_first)


def _join_most_pairs(
    sets: Sequence[set[str]], threshold: float, roots: list[int], most_failed: int
) -> None:
    """Join similar pairs, found among those whose MinHash signatures collide in a band."""
    # Half a second and 56 MB, which only a large dataset is worth.
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, weights=LSH_ERROR_WEIGHTS)
    encoded = ([gram.encode() for gram in grams] for grams in sets)
    # MinHash takes 32 bits of a hash; the library's default computes a SHA-1 for them.
    signatures = MinHash.generator(encoded, num_perm=PERMUTATIONS, hashfunc=zlib.crc32)
    for position, signature in enumerate(signatures):
        near = sorted(index.query(signature))
        _join(position, near, sets, threshold, roots, most_failed)
        # So many stand for the others that are like them.
        if len(near) < MAXIMUM_FAILED_COMPARISONS:
            index.insert(position, signature)


def _join(
    position: int,
    near: Iterable[int],
    sets: Sequence[set[str]],
    threshold: float,
    roots: list[int],
    most_failed: int,
) -> None:
    """Join a text with those candidates that it is like; what is joined is not compared again."""
    unlike: set[int] = set()
    own = _root(roots, position)
    for other in islice(near, MAXIMUM_CANDIDATES * most_failed // MAXIMUM_FAILED_COMPARISONS):
        if other in unlike or (root := _root(roots, other)) == own:
            continue
        if _is_similar(sets[position], sets[other], threshold):
            low, high = sorted((own, root))
            # The first text is the root of its cluster, in whatever order its pairs are found.
            roots[high] = own = low
            continue
        unlike.add(other)
        if len(unlike) == most_failed:
            return


def _root(roots: list[int], position: int) -> int:
    while roots[position] != position:
        # Path halving keeps the trees flat (Tarjan and van Leeuwen 1984).
        roots[position] = roots[roots[position]]
        position = roots[position]
    return position
