"""What a candidate must be to be kept."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable

from services.synthetic_generator.domain import Refusal, Sample
from services.synthetic_generator.quality.diversity import Collection, similarity_limit
from services.synthetic_generator.quality.privacy import find

LONGEST_INPUT = 4_000


class Gate:
    """Lets each candidate in or says why not. Remembers what it let in."""

    def __init__(
        self, examples: Iterable[Sample], targets: Names[str], *, diversity: float, count: int
    ) -> None:
        self._examples = {example.key for example in examples}
        self._targets = frozenset(targets)
        self._seen: set[str] = set()
        self._limit = similarity_limit(diversity)
        self._expected = count // max(len(self._targets), 1)
        self._by_target: dict[str, Collection] = {}

    def judge(self, sample: Sample) -> Refusal | None:
        """None: it is in."""
        if not sample.key:
            return Refusal.EMPTY
        if len(sample.input) > LONGEST_INPUT:
            return Refusal.TOO_LONG
        if sample.target not in self._targets:
            return Refusal.LABEL_LOST
        if sample.key in self._examples:
            return Refusal.SAME_AS_EXAMPLE
        if sample.key in self._seen:
            return Refusal.DUPLICATE
        if find(sample.input):
            return Refusal.PERSONAL_DATA
        if not self._collection(sample.target).admit(sample.key):
            return Refusal.TOO_SIMILAR
        self._seen.add(sample.key)
        return None

    def _collection(self, target: str) -> Collection:
        if target not in self._by_target:
            self._by_target[target] = Collection(self._limit, self._expected)
        return self._by_target[target]
