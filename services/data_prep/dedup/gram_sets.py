"""Texts as sets of character 4-grams, in arrays: as many at once as memory allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy import int64, uint32, uint64
    from numpy.typing import NDArray

GRAM_LENGTH: Final = 4

EXCERPTS: Final = 4
EXCERPT_CHARACTERS: Final = 128
"""Characters. Of a longer text evenly spread pieces are looked at, its head and tail among them:
a head alone would make one of all inputs that begin with the same long instructions."""

HASH_FACTOR: Final = 0x9E3779B97F4A7C15
"""Odd and without a pattern in its bits, so that the place of a sign in a gram counts."""


def shingles(text: str) -> set[str]:
    """The character 4-grams of a text, its edges marked by a space; of a bounded part of it."""
    padded = f" {_excerpts(text)} "
    last = max(1, len(padded) - GRAM_LENGTH + 1)
    return {padded[start : start + GRAM_LENGTH] for start in range(last)}


def _excerpts(text: str) -> str:
    if len(text) <= EXCERPTS * EXCERPT_CHARACTERS:
        return text
    step = (len(text) - EXCERPT_CHARACTERS) / (EXCERPTS - 1)
    starts = (round(step * number) for number in range(EXCERPTS))
    return " ".join(text[start : start + EXCERPT_CHARACTERS] for start in starts)


@dataclass(frozen=True)
class GramSets:
    """The grams of texts as numbers: those of text n are `members[offsets[n]:offsets[n + 1]]`,
    ascending, each once, below `span`. Equal numbers are equal grams."""

    members: NDArray[int64]
    offsets: NDArray[int64]
    span: int

    @cached_property
    def sizes(self) -> NDArray[int64]:
        """How many grams each text has."""
        sizes: NDArray[int64] = self.offsets[1:] - self.offsets[:-1]
        return sizes

    @cached_property
    def owners(self) -> NDArray[int64]:
        """The text that each member is of."""
        import numpy

        owners: NDArray[int64] = numpy.repeat(numpy.arange(len(self.sizes)), self.sizes)
        return owners

    @cached_property
    def _rows(self) -> Any:
        import numpy
        from scipy.sparse import csr_matrix

        ones = numpy.ones(len(self.members), dtype=numpy.int8)
        shape = (len(self.sizes), self.span)
        return csr_matrix((ones, self.members, self.offsets), shape=shape)

    def count_shared(self, first: NDArray[int64], second: NDArray[int64]) -> NDArray[int64]:
        """How many grams the texts of each pair have in common."""
        import numpy

        both = self._rows[first].multiply(self._rows[second])
        shared: NDArray[int64] = numpy.diff(both.indptr).astype(numpy.int64)
        return shared


def make_gram_sets(texts: Sequence[str]) -> GramSets:
    """The gram sets of texts. Ranks of signs in place of their code points keep numbers small."""
    import numpy

    signs, lengths = _join_texts(texts)
    present = numpy.zeros(int(signs.max(initial=0)) + 1, dtype=bool)
    present[signs] = True
    ranks = numpy.cumsum(present) - 1
    base = int(ranks[-1]) + 1
    grams = _number_grams(ranks[signs], lengths, base)
    owners = numpy.repeat(numpy.arange(len(texts)), lengths - (GRAM_LENGTH - 1))
    span = base**GRAM_LENGTH
    if span * max(1, len(texts)) >= 2**62:
        distinct, grams = numpy.unique(grams, return_inverse=True)
        span = len(distinct)
    # One number of text and gram: sorting it brings the grams of each text in order.
    keys = owners * span + grams
    keys.sort()
    keys = keys[numpy.concatenate(([True], keys[1:] != keys[:-1]))] if len(keys) else keys
    owners = keys // span
    sizes = numpy.bincount(owners, minlength=len(texts))
    offsets = numpy.concatenate(([0], numpy.cumsum(sizes)))
    return GramSets(keys - owners * span, offsets, span)


def hash_grams(texts: Sequence[str]) -> tuple[NDArray[uint64], NDArray[uint64]]:
    """Hashes of all grams of the texts, repeated ones too, and where those of each text begin.

    Equal grams have equal hashes, whatever texts are beside them.
    """
    import numpy

    signs, lengths = _join_texts(texts)
    grams = _number_grams(signs.astype(numpy.uint64), lengths, HASH_FACTOR)
    grams *= numpy.uint64(HASH_FACTOR)
    grams ^= grams >> numpy.uint64(32)
    ends = numpy.cumsum(lengths - (GRAM_LENGTH - 1))
    return grams, numpy.concatenate(([0], ends)).astype(numpy.uint64)


def _join_texts(texts: Sequence[str]) -> tuple[NDArray[uint32], NDArray[int64]]:
    """The signs of all texts, one after the other, and the length of each, a gram at least."""
    import numpy

    padded = [f" {_excerpts(text)} ".ljust(GRAM_LENGTH, "\0") for text in texts]
    lengths = numpy.fromiter(map(len, padded), dtype=numpy.int64, count=len(padded))
    joined = "".join(padded).encode("utf-32-le", errors="surrogatepass")
    return numpy.frombuffer(joined, dtype="<u4"), lengths


def _number_grams(signs: Any, lengths: NDArray[int64], base: int) -> Any:
    """A number for each gram of each text, of its signs as digits."""
    import numpy

    count = max(0, len(signs) - (GRAM_LENGTH - 1))
    numbers = signs[:count].copy()
    for place in range(1, GRAM_LENGTH):
        numbers *= numbers.dtype.type(base)
        numbers += signs[place : count + place]
    # Those that begin in the last three signs of a text would reach into the next one.
    begins_gram = numpy.ones(len(signs), dtype=bool)
    ends = numpy.cumsum(lengths)
    for place in range(1, GRAM_LENGTH):
        begins_gram[ends - place] = False
    return numbers[begins_gram[:count]]
