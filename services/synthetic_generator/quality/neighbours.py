"""Whether a made text still reads like its answer: its nearest real examples say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from services.synthetic_generator.domain import Sample
from services.synthetic_generator.quality.language import split_words

RAREST_WORDS: Final = 8
MOST_EXAMPLES: Final = 100
"""Examples of either side that are compared with one text: those that share its rarest words. A
hundred thousand texts among as many examples are minutes so, and were an hour with all of them."""

Places = defaultdict[str, list[int]]
"""Word -> the examples that have it."""


class ExampleNeighbours:
    """Examples by their words. The nearest has the largest Jaccard index of its words."""

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
        """Whether no example of another answer is nearer than all of the sample's own answer."""
        words = frozenset(split_words(sample.key))
        own = self._find_similar(words, self._of_target.get(sample.target, {}))
        others = {
            place
            for place in self._find_similar(words, self._places)
            if self._targets[place] != sample.target
        }
        return self._largest_similarity(words, own) >= self._largest_similarity(words, others)

    def _largest_similarity(self, words: frozenset[str], places: set[int]) -> float:
        def compare(place: int) -> float:
            shared = len(words & self._words[place])
            return shared / (len(words) + len(self._words[place]) - shared)

        return max(map(compare, places), default=0.0)

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
