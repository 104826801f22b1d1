"""Whether a text still has its answer: near examples vote, and the deployed model reads it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from services.synthetic_generator.domain import RejectionReason, Sample
from services.synthetic_generator.quality.neighbours import ExampleNeighbours

if TYPE_CHECKING:
    from archon_inference.ports import Predictor

MOST_READ: Final = 5_000
"""Texts that the deployed model reads for one request: about a minute of one core."""


class LabelChecker:
    """Refuses a text of which nobody says that it has its answer.

    One opinion in favour is enough: the deployed model is wrong of what it has not learned, and the
    examples of what none of them resembles. The model is asked only where the examples' vote
    leaves something open. Who has no opinion, an example of no answer or a model without that
    answer, is not asked.
    """

    def __init__(
        self,
        neighbours: ExampleNeighbours,
        predictor: Predictor | None = None,
        answers: Collection[str] = (),
    ) -> None:
        self._neighbours = neighbours
        self._predictor = predictor
        self._answers = frozenset(answers)
        self.read = 0
        """Texts that the model has read."""
        self.left = 0
        """Texts that it was not asked about, as it had read `MOST_READ`."""

    def check(self, samples: Sequence[Sample]) -> list[RejectionReason | None]:
        """For each sample None, or why it is refused."""
        voted = [
            self._neighbours.agree(sample) if self._neighbours.knows(sample.target) else None
            for sample in samples
        ]
        asked = [
            place
            for place, sample in enumerate(samples)
            if not voted[place] and self._predictor and sample.target in self._answers
        ]
        room = max(0, MOST_READ - self.read)
        self.left += len(asked[room:])
        asked = asked[:room]
        read = dict(zip(asked, self._predict([samples[place] for place in asked]), strict=True))
        return [
            _decide(voted[place], None if place not in read else read[place] == sample.target)
            for place, sample in enumerate(samples)
        ]

    def _predict(self, samples: Sequence[Sample]) -> list[str]:
        if not samples or self._predictor is None:
            return []
        self.read += len(samples)
        return [each.output for each in self._predictor.predict([s.input for s in samples])]


def _decide(voted: bool | None, read: bool | None) -> RejectionReason | None:
    if voted or read or (voted is None and read is None):
        return None
    if read is None:
        return RejectionReason.NEARER_TO_ANOTHER_ANSWER
    return RejectionReason.READ_AS_ANOTHER_ANSWER
