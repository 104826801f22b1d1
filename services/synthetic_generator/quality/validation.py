"""What a candidate must be to be kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from services.synthetic_generator.domain import (
    MISLEADING_FAMILIES,
    Candidate,
    Method,
    RejectionReason,
    Sample,
)
from services.synthetic_generator.quality.diversity import DiverseCollection, similarity_limit
from services.synthetic_generator.quality.language import is_english, split_words
from services.synthetic_generator.quality.neighbours import ExampleNeighbours
from services.synthetic_generator.quality.privacy import detect_personal_data
from services.synthetic_generator.quality.toxicity import find_listed

MAXIMUM_INPUT_CHARACTERS = 4_000
NEAR_EXAMPLE_LIMIT: Final = 0.9
"""Jaccard index of word pairs above which an item only repeats an example."""
NEAR_HELD_OUT_LIMIT: Final = 0.6
"""The same with an evaluation item: stricter, as what nearly repeats a question answers it."""
LENGTH_FACTOR: Final = 4
"""What a language model writes may be so many times as long as the longest example."""


class CandidateValidator:
    """Lets each candidate in or says why not. Remembers what it let in.

    `inspect` looks at a candidate by itself; `admit` compares it with those that are in. The checks
    between the two, by models and vectors, are made for many candidates at once.
    """

    def __init__(
        self,
        examples: Sequence[Sample],
        targets: Collection[str],
        *,
        diversity: float,
        count: int,
        held_out: Sequence[str] = (),
    ) -> None:
        self._examples = {example.key for example in examples}
        self.neighbours = ExampleNeighbours(examples)
        self._targets = frozenset(targets)
        self._seen: set[str] = set()
        self._limit = similarity_limit(diversity)
        self._expected = count // max(len(self._targets), 1)
        self._by_target: dict[str, DiverseCollection] = {}
        self._near_examples = _collect(self._examples, NEAR_EXAMPLE_LIMIT)
        self._near_held_out = _collect(held_out, NEAR_HELD_OUT_LIMIT)
        self._listed = frozenset().union(*(find_listed(each.input) for each in examples))
        self._is_english = is_english(e.input for e in examples) if examples else None
        self._longest = max((len(split_words(e.input)) for e in examples), default=0)

    def inspect(self, candidate: Candidate) -> RejectionReason | None:
        """What is wrong with it by itself, or beside examples and evaluation items."""
        sample = candidate.sample
        rejection = self._inspect_form(sample)
        if rejection is None and candidate.method is Method.LLM:
            rejection = self._inspect_written(sample.input)
        if rejection is None and detect_personal_data(sample.input):
            rejection = RejectionReason.PERSONAL_DATA
        if rejection is None and self._near_held_out.has_similar(sample.key):
            rejection = RejectionReason.NEAR_HELD_OUT
        if rejection is None and self._near_examples.has_similar(sample.key):
            rejection = RejectionReason.NEAR_EXAMPLE
        return rejection

    def _inspect_form(self, sample: Sample) -> RejectionReason | None:
        if not sample.key:
            return RejectionReason.EMPTY
        if len(sample.input) > MAXIMUM_INPUT_CHARACTERS:
            return RejectionReason.TOO_LONG
        if sample.target not in self._targets:
            return RejectionReason.LABEL_LOST
        if sample.key in self._examples:
            return RejectionReason.SAME_AS_EXAMPLE
        if sample.key in self._seen:  # here too: the checks after this one are dear
            return RejectionReason.DUPLICATE
        # What real users of the domain write is not refused; nothing is added to it.
        if find_listed(sample.input) - self._listed:
            return RejectionReason.LISTED_WORD
        return None

    def _inspect_written(self, text: str) -> RejectionReason | None:
        """What a language model may get wrong, and edits of real texts do not."""
        if self._is_english is None:
            return None
        if is_english([text]) != self._is_english:
            return RejectionReason.OTHER_LANGUAGE
        if len(split_words(text)) > LENGTH_FACTOR * self._longest:
            return RejectionReason.UNUSUAL_LENGTH
        return None

    def admit(self, sample: Sample) -> RejectionReason | None:
        """Let it in, unless it is in already or too similar to one that is."""
        if sample.key in self._seen:
            return RejectionReason.DUPLICATE
        if not self._collection(sample.target).add_if_diverse(sample.key):
            return RejectionReason.TOO_SIMILAR
        self._seen.add(sample.key)
        return None

    def _collection(self, target: str) -> DiverseCollection:
        if target not in self._by_target:
            self._by_target[target] = DiverseCollection(self._limit, self._expected)
        return self._by_target[target]


def may_mislead(candidate: Candidate) -> bool:
    """Whether it may read like another answer, or says its own, so that no vote decides."""
    if candidate.method is Method.ANSWER_NAME:
        # Its words are the answer's own, and those around them are many examples'.
        return True
    by_search = candidate.method is Method.ADVERSARIAL and candidate.family is None
    return by_search or candidate.family in MISLEADING_FAMILIES


def _collect(texts: Collection[str], limit: float) -> DiverseCollection:
    collection = DiverseCollection(limit, len(texts))
    for text in sorted(texts):
        collection.add_if_diverse(text)
    return collection
