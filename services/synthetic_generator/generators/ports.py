"""What generates samples."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from services.synthetic_generator.domain import Candidate, Draw, RejectionReason


class SampleGenerator(Protocol):
    """Gives as many raw samples of an answer as are asked for; what a package's domain is."""

    @property
    def targets(self) -> Sequence[str]: ...

    @property
    def is_english(self) -> bool: ...

    def generate(self, target: str, difficulty: str, rng: random.Random) -> Candidate | None: ...


class SynthesisStrategy(Protocol):
    """One method of making candidates: one for each draw, or why there is none."""

    def make(self, draws: Sequence[Draw]) -> list[Candidate | RejectionReason]: ...


class LanguageModel(Protocol):
    """Replies to prompts; None: no reply came."""

    def reply(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str | None]: ...
