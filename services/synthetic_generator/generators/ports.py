"""What generates samples of one kind of input."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from services.synthetic_generator.domain import Candidate


class SampleGenerator(Protocol):
    """Gives as many raw samples of an answer as are asked for."""

    @property
    def targets(self) -> Sequence[str]: ...

    @property
    def is_english(self) -> bool: ...

    def generate(self, target: str, difficulty: str, rng: random.Random) -> Candidate: ...
