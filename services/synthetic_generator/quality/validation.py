"""What a candidate must be to be kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from services.synthetic_generator.domain import RejectionReason, Sample
from services.synthetic_generator.quality.diversity import DiverseCollection, similarity_limit
from services.synthetic_generator.quality.neighbours import ExampleNeighbours
from services.synthetic_generator.quality.privacy import detect_personal_data

MAXIMUM_INPUT_CHARACTERS = 4_000


class CandidateValidator:
    """Lets each candidate in or says why not. Remembers what it let in."""

    def __init__(
        self, examples: Sequence[Sample], targets: Collection[str], *, diversity: float, count: int
    ) -> None:
        self._examples = {example.key for example in examples}
        self._neighbours = ExampleNeighbours(examples)
        self._targets = frozenset(targets)
        self._seen: set[str] = set()
        self._limit = similarity_limit(diversity)
        self._expected = count // max(len(self._targets), 1)
        self._by_target: dict[str, DiverseCollection] = {}

    def validate(self, sample: Sample, *, misleading: bool = False) -> RejectionReason | None:
        """None: it is in. Misleading ones may read like another answer: they are made to."""
        if not sample.key:
            return RejectionReason.EMPTY
        if len(sample.input) > MAXIMUM_INPUT_CHARACTERS:
            return RejectionReason.TOO_LONG
        if sample.target not in self._targets:
            return RejectionReason.LABEL_LOST
        if sample.key in self._examples:
            return RejectionReason.SAME_AS_EXAMPLE
        if sample.key in self._seen:
            return RejectionReason.DUPLICATE
        if not misleading and not self._neighbours.agree(sample):
            return RejectionReason.NEARER_TO_ANOTHER_ANSWER
        if detect_personal_data(sample.input):
            return RejectionReason.PERSONAL_DATA
        if not self._collection(sample.target).add_if_diverse(sample.key):
            return RejectionReason.TOO_SIMILAR
        self._seen.add(sample.key)
        return None

    def _collection(self, target: str) -> DiverseCollection:
        if target not in self._by_target:
            self._by_target[target] = DiverseCollection(self._limit, self._expected)
        return self._by_target[target]
