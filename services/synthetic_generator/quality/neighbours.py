"""Whether a made text still reads like its answer: its nearest real examples vote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import nlargest
from typing import Final

from services.synthetic_generator.domain import Sample
from services.synthetic_generator.quality.language import split_words
from shared.similarity import TOLERANCE

RAREST_WORDS: Final = 8
VOTERS: Final = 5
MOST_EXAMPLES: Final = 100
"""Examples of either side that are compared with one text: those that share its rarest words. A
hundred thousand texts among as many examples are minutes so, and were an hour with all of them."""

Places = defaultdict[str, list[int]]
"""Word -> the examples that have it."""


class ExampleNeighbours:
    """Examples by their words; similar is who has a large Jaccard index of words."""

    def __init__(self, examples: Sequence[Sample]) -> None:
        self._words = [frozenset(split_words(example.key)) for example in examples]
        self._targets = [example.target for example in examples]
        self._places: Places = defaultdict(list)
        # Apart, so that many examples of other answers never crowd out the text's own.
        self._of_target: defaultdict[str, Places] = defaultdict(lambda: defaultdict(list))
        for place, (words, example) in enumerate(zip(self._words, examples, strict=True)):
            for word in words:
                self._places[word].append(place)
                self._of_target[example.target][word].append(place)

    def agree(self, sample: Sample) -> bool:
        """Whether the nearest examples vote for the sample's answer; no example near it agrees.

        The `VOTERS` nearest vote with the cube of their similarity, so that one example that is
        nearly the same outweighs several that share a word or two.
        """
        words = frozenset(split_words(sample.key))
        places = self._find_similar(words, self._of_target.get(sample.target, {}))
        places |= self._find_similar(words, self._places)
        similar = [(self._similarity(words, place), place) for place in places]
        votes: defaultdict[str, float] = defaultdict(float)
        for similarity, place in nlargest(VOTERS, similar):
            votes[self._targets[place]] += similarity**3
        own = votes.pop(sample.target, 0.0)
        return own >= max(votes.values(), default=0.0) - TOLERANCE

    def knows(self, target: str) -> bool:
        """Whether there is an example of this answer, which could vote for it."""
        return target in self._of_target

    def _similarity(self, words: frozenset[str], place: int) -> float:
        shared = len(words & self._words[place])
        return shared / (len(words) + len(self._words[place]) - shared)

    def _find_similar(self, words: frozenset[str], places: Mapping[str, list[int]]) -> set[int]:
        known = sorted(
            (word for word in words if word in places), key=lambda word: (len(places[word]), word)
        )
        found: set[int] = set()
        for word in known[:RAREST_WORDS]:
            found.update(places[word][: MOST_EXAMPLES - len(found)])
            if len(found) >= MOST_EXAMPLES:
                break
        return found
