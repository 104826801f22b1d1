"""How different made items are: from each other, and in their wording as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from services.synthetic_generator.quality.language import split_words
from shared.similarity import LSH_ERROR_WEIGHTS, PERMUTATIONS, PrefixIndex

LOWEST_SIMILARITY_LIMIT = 0.4
"""The most that two items of one answer may share (Jaccard index) at a diversity of 1."""
EXACT_INDEX_LIMIT = 1_000
"""Items of one answer up to which every comparison is made that must be."""


MOST_ALTERNATIVES = 5
"""Made of each draw at a diversity of 1, of which the most novel is taken."""


def count_alternatives(diversity: float) -> int:
    """How many candidates a draw has to choose from: 1 at a diversity of 0."""
    return 1 + round((MOST_ALTERNATIVES - 1) * diversity)


def similarity_limit(diversity: float) -> float:
    """The Jaccard index that two items may not exceed: 1 (no limit) down to
    LOWEST_SIMILARITY_LIMIT.
    """
    return 1.0 - (1.0 - LOWEST_SIMILARITY_LIMIT) * diversity


class MinHashIndex:
    """MinHash with locality-sensitive hashing: misses a few, and grows only linearly."""

    def __init__(self, limit: float) -> None:
        # Half a second and 56 MB, which only a large collection is worth.
        from datasketch import MinHash, MinHashLSH

        self._empty = MinHash(num_perm=PERMUTATIONS, hashfunc=_to_32_bits)
        self._buckets = MinHashLSH(
            threshold=limit, num_perm=PERMUTATIONS, weights=LSH_ERROR_WEIGHTS
        )
        self._size = 0

    def candidates(self, members: Sequence[int]) -> Iterable[int]:
        found: list[int] = self._buckets.query(self._sketch(members))
        return found

    def add(self, members: Sequence[int]) -> None:
        self._buckets.insert(self._size, self._sketch(members))
        self._size += 1

    def _sketch(self, members: Sequence[int]) -> Any:
        sketch = self._empty.copy()
        sketch.update_batch(members)
        return sketch


class DiverseCollection:
    """Accepted items of one answer; refuses what is too similar to one of them.

    Similar means that the Jaccard index of the word pairs is above the limit; a word is what
    `split_words` takes for one.
    """

    def __init__(self, limit: float, expected: int) -> None:
        self._limit = limit
        self._accepted: list[frozenset[int]] = []
        if limit < 1.0:
            large = expected > EXACT_INDEX_LIMIT
            self._index: PrefixIndex[int] | MinHashIndex = (
                MinHashIndex(limit) if large else PrefixIndex(limit)
            )

    def add_if_diverse(self, text: str) -> bool:
        """Take the text in, unless it is too similar to one that is in already."""
        if self._limit >= 1.0:
            return True
        members = frozenset(_hash_word_pairs(text))
        # Hashes in the order of numbers: an order that all sets share, and as good as a random one.
        ordered = sorted(members)
        if self._has_similar(members, ordered):
            return False
        self._index.add(ordered)
        self._accepted.append(members)
        return True

    def has_similar(self, text: str) -> bool:
        """Whether one that is in is too similar to the text."""
        if self._limit >= 1.0 or not self._accepted:
            return False
        members = frozenset(_hash_word_pairs(text))
        return self._has_similar(members, sorted(members))

    def _has_similar(self, members: frozenset[int], ordered: Sequence[int]) -> bool:
        candidates = set(self._index.candidates(ordered))
        return any(_jaccard(members, self._accepted[at]) > self._limit for at in candidates)


class WordPairNovelty:
    """The word pairs of accepted items: how much of a text is new beside them."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, ...]] = set()

    def add(self, text: str) -> None:
        """Take in an accepted item."""
        self._seen.update(_list_pairs(text))

    def choose(self, texts: Sequence[str], taken: set[tuple[str, ...]]) -> int:
        """The place of the text with most new word pairs, by proportion; of equal ones the first.

        `taken` counts as seen, and gets the pairs of the chosen one.
        """
        pairs = [_list_pairs(text) for text in texts]

        def novelty(place: int) -> float:
            new = sum(pair not in self._seen and pair not in taken for pair in pairs[place])
            return new / max(len(pairs[place]), 1)

        best = max(range(len(texts)), key=novelty)
        taken.update(pairs[best])
        return best


def distinct_n(texts: Iterable[str], length: int) -> float | None:
    """Distinct word n-grams among all of them; None without any.

    Source: J. Li et al., "A diversity-promoting objective function for neural conversation
    models" (NAACL 2016), distinct-1 and distinct-2.
    """
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        grams = _ngrams(split_words(text.casefold()), length)
        seen.update(grams)
        total += len(grams)
    return len(seen) / total if total else None


def _ngrams(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]


def _list_pairs(text: str) -> list[tuple[str, ...]]:
    return _ngrams(["", *split_words(text.casefold()), ""], 2)


def _hash_word_pairs(text: str) -> Iterable[int]:
    for pair in _list_pairs(text):
        yield int.from_bytes(blake2b(" ".join(pair).encode(), digest_size=8).digest(), "big")


def _to_32_bits(member: int) -> int:
    return member & 0xFFFFFFFF


def _jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared)
