"""Whether a made text still reads like its answer: its nearest real examples say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from services.synthetic_generator.domain import Sample
from services.synthetic_generator.quality.language import split_words

RAREST_WORDS: Final = 8
MOST_EXAMPLES: Final = 2_000
"""Examples compared with one text: those that share its rarest words, so that none costs long."""


class ExampleNeighbours:
    """Examples by their words. The nearest has the largest Jaccard index of its words."""

    def __init__(self, examples: Sequence[Sample]) -> None:
        self._words = [frozenset(split_words(example.key)) for example in examples]
        self._targets = [example.target for example in examples]
        self._with_word: defaultdict[str, list[int]] = defaultdict(list)
        for place, words in enumerate(self._words):
            for word in words:
                self._with_word[word].append(place)

    def agree(self, sample: Sample) -> bool:
        """Whether no example of another answer is nearer than all of the sample's own answer."""
        words = frozenset(split_words(sample.key))
        own = other = 0.0
        for place in self._find_candidates(words):
            shared = len(words & self._words[place])
            similarity = shared / (len(words) + len(self._words[place]) - shared)
            if self._targets[place] == sample.target:
                own = max(own, similarity)
            else:
                other = max(other, similarity)
        return own >= other

    def _find_candidates(self, words: frozenset[str]) -> set[int]:
        known = sorted(
            (word for word in words if word in self._with_word),
            key=lambda word: (len(self._with_word[word]), word),
        )
        found: set[int] = set()
        for word in known[:RAREST_WORDS]:
            found.update(self._with_word[word][:MOST_EXAMPLES])
            if len(found) >= MOST_EXAMPLES:
                break
        return found
