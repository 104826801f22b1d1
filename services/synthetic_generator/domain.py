"""The words of synthesis: what is asked for, what is made, what was turned down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Method(StrEnum):
    """How an item was made."""

    TEMPLATE = "template"  # from a domain's grammar
    RECOMBINATION = "recombination"  # a real sentence with the details of others
    MUTATION = "mutation"  # a real or made sentence, its surface altered
    ADVERSARIAL = "adversarial"  # made to mislead, the answer unchanged


class RejectionReason(StrEnum):
    """Why a candidate was turned down."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    TOO_SLOW = "too_slow"
    SAME_AS_EXAMPLE = "same_as_example"
    DUPLICATE = "duplicate"
    LABEL_LOST = "label_lost"
    TOO_SIMILAR = "too_similar"
    NEARER_TO_ANOTHER_ANSWER = "nearer_to_another_answer"
    PERSONAL_DATA = "personal_data"
    LANGUAGE = "no_phrases_in_this_language"
    NO_SOURCE = "no_template_and_no_examples"


@dataclass(frozen=True, slots=True)
class Sample:
    """An input and its right answer."""

    input: str
    target: str

    @property
    def key(self) -> str:
        """What equal inputs share: neither case nor spacing counts."""
        return " ".join(self.input.casefold().split())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A made sample and how it was made."""

    sample: Sample
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What is asked for."""

    scenario_type: str
    count: int
    difficulty: str
    edge_cases: bool
    diversity: float
    seed: int


@dataclass(slots=True)
class GenerationResult:
    """What was made, and how many candidates were turned down for which reason."""

    accepted: list[Candidate] = field(default_factory=list)
    rejections: Counter[RejectionReason] = field(default_factory=Counter)
    redacted: Mapping[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> dict[str, int]:
        """Rejections by reason, as published."""
        return {str(reason): count for reason, count in sorted(self.rejections.items())}
