"""The words of synthesis: what is asked for, what is made, what was turned down."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from archon_contracts.commands import EdgeCaseFamily, SynthesisMethod
from archon_contracts.events import SyntheticQuality


class Method(StrEnum):
    """How an item was made."""

    TEMPLATE = "template"  # from a domain's grammar
    RECOMBINATION = "recombination"  # a real sentence with the details of others
    MUTATION = "mutation"  # a real or made sentence, its surface altered
    ADVERSARIAL = "adversarial"  # made to mislead, the answer unchanged
    LLM = "llm"  # written by a language model
    ANSWER_NAME = "answer_name"  # says the answer by its name


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
    READ_AS_ANOTHER_ANSWER = "read_as_another_answer"
    NEAR_EXAMPLE = "near_duplicate_of_an_example"
    NEAR_HELD_OUT = "near_an_evaluation_item"
    NEAR_PRIVATE_RECORD = "too_close_to_a_private_record"
    OTHER_LANGUAGE = "other_language"
    LISTED_WORD = "toxic_word"
    UNUSUAL_LENGTH = "unusual_length"
    CONSTRAINTS = "constraints_not_met"
    ENOUGH_EDGE_CASES = "enough_edge_cases"
    NO_ENDPOINT = "no_llm_endpoint"
    NO_REPLY = "llm_gave_no_reply"
    UNUSABLE_REPLY = "llm_reply_unusable"
    NO_DEPLOYED_MODEL = "no_deployed_model"
    NOT_FLIPPED = "deployed_answer_not_changed"
    NO_ABSTAINING_ANSWER = "no_answer_for_out_of_scope"
    PERSONAL_DATA = "personal_data"
    LANGUAGE = "no_phrases_in_this_language"
    DEADLINE = "deadline_reached"
    NO_SOURCE = "no_template_and_no_examples"


MISLEADING_FAMILIES: Final = frozenset(
    {EdgeCaseFamily.CONTRADICTORY, EdgeCaseFamily.NEAR_MISS, EdgeCaseFamily.PROMPT_INJECTION}
)
"""Families that may read like another answer, as they are made to, with English phrases around."""


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
    family: EdgeCaseFamily | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """One candidate to be made: its answer, and the seed that decides everything else."""

    target: str
    seed: str

    def rng(self) -> random.Random:
        """A generator of its own, so that a draw is the same in any order and after a restart."""
        return random.Random(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What is asked for."""

    scenario_type: str
    count: int
    difficulty: str
    edge_cases: bool
    diversity: float
    seed: int
    methods: tuple[SynthesisMethod, ...] = ()
    families: tuple[EdgeCaseFamily, ...] = ()
    """Edge cases; empty with `edge_cases`: all of them."""
    privacy_distance: float = 0.0
    """Least cosine distance to each example; 0: not enforced."""

    @property
    def edge_case_families(self) -> tuple[EdgeCaseFamily, ...]:
        """The edge cases to make; empty: none."""
        return self.families or (tuple(EdgeCaseFamily) if self.edge_cases else ())


@dataclass(slots=True)
class GenerationResult:
    """What was made, and how many candidates were turned down for which reason."""

    accepted: list[Candidate] = field(default_factory=list)
    rejections: Counter[RejectionReason] = field(default_factory=Counter)
    redacted: Mapping[str, int] = field(default_factory=dict)
    candidates: int = 0
    unchecked: tuple[str, ...] = ()
    """Checks that could not be made, and why."""

    @property
    def rejected(self) -> dict[str, int]:
        """Rejections by reason, as published."""
        return {str(reason): count for reason, count in sorted(self.rejections.items())}


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSummary:
    """What is published of a finished generation."""

    items: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    shortfall: str = ""
    quality: SyntheticQuality | None = None
