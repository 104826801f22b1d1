"""The loop: draw a round of candidates, check them, until there are enough or nothing new comes."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from services.synthetic_generator.domain import (
    Candidate,
    Draw,
    GenerationRequest,
    GenerationResult,
    RejectionReason,
    Sample,
)
from services.synthetic_generator.errors import TextTooSlow
from services.synthetic_generator.generators.ports import SynthesisStrategy
from services.synthetic_generator.generators.selection import (
    GenerationResources,
    MethodSelection,
    select_methods,
)
from services.synthetic_generator.quality.embedding import embed_by_signs
from services.synthetic_generator.quality.labels import LabelChecker
from services.synthetic_generator.quality.privacy import redact
from services.synthetic_generator.quality.private_records import PrivateRecords
from services.synthetic_generator.quality.time_limit import limit_seconds
from services.synthetic_generator.quality.validation import (
    MAXIMUM_INPUT_CHARACTERS,
    CandidateValidator,
    may_mislead,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

EDGE_CASE_PROPORTION: Final = 0.25
LARGEST_ROUND: Final = 256
SMALLEST_ROUND: Final = 8
TEXT_SECONDS = 1.0
"""For the patterns on one example: a thousand times what the longest one takes."""
MAXIMUM_CONSECUTIVE_REJECTIONS = 200
"""Candidates turned down in a row, per answer, after which no more are expected."""


@dataclass(slots=True)
class GenerationState:
    """All that a generation needs to go on where it was interrupted: it lies between two rounds."""

    attempt: int = 0
    """Draws that were made."""
    accepted: list[Candidate] = field(default_factory=list)
    rejections: Counter[RejectionReason] = field(default_factory=Counter)
    failures: Mapping[str, int] = field(default_factory=dict)
    """Refusals in a row of each answer of which more is expected; empty: nothing is made yet."""


OnRound = Callable[[GenerationState], bool]
"""Called between two rounds; whether to stop there."""


def generate(
    request: GenerationRequest,
    examples: Sequence[Sample],
    resources: GenerationResources | None = None,
    *,
    resume: GenerationState | None = None,
    on_round: OnRound | None = None,
) -> GenerationResult:
    """Items as requested, as many as there can be. Equal arguments give equal items, also after an
    interruption: `resume` is the state of some round that `on_round` was called with. One that
    `on_round` stops gives what there is by then.

    Examples, where there are any, decide the answers; else the scenario's own domain does.
    Answers alternate, so that each gets its part. Examples that are too long, or take
    too long, are left out and counted.
    """
    resources = resources or GenerationResources()
    # Before any pattern sees them: one item of a megabyte would hold the process for minutes.
    short = [each for each in examples if len(each.input) <= MAXIMUM_INPUT_CHARACTERS]
    result = GenerationResult()
    if len(short) < len(examples):
        result.rejections[RejectionReason.TOO_LONG] = len(examples) - len(short)
    clean = _redact_examples(short, result)
    selection = select_methods(request, clean, resources)
    if not selection.strategies:
        result.rejections[selection.obstacle] = request.count
        return result
    run = _GenerationRun(request, clean, selection, resources, resume)
    run.make_all(on_round)
    result.accepted = run.state.accepted
    result.rejections += run.state.rejections
    result.candidates = run.state.attempt
    result.unchecked = (*selection.omissions, *run.describe_unread())
    missing = request.count - len(result.accepted)
    if missing and not selection.is_english:
        # Said beside the reasons of the candidates: more examples help, another try does not.
        result.rejections[RejectionReason.LANGUAGE] = missing
    return result


class _GenerationRun:
    """One generation: what makes candidates, what checks them, and how far it is."""

    def __init__(
        self,
        request: GenerationRequest,
        examples: Sequence[Sample],
        selection: MethodSelection,
        resources: GenerationResources,
        resume: GenerationState | None,
    ) -> None:
        self._request = request
        self._selection = selection
        self._validator = CandidateValidator(
            examples,
            selection.known_targets,
            diversity=request.diversity,
            count=request.count,
            held_out=resources.held_out,
        )
        self._labels = LabelChecker(
            self._validator.neighbours, resources.predictor, resources.answers
        )
        self._private = (
            PrivateRecords(examples, request.privacy_distance, embed_by_signs)
            if request.privacy_distance
            else None
        )
        self.state = resume or GenerationState()
        for candidate in self.state.accepted:
            self._validator.admit(candidate.sample)
            selection.novelty.add(candidate.sample.input)
        self._edge_cases = sum(each.family is not None for each in self.state.accepted)
        known = self.state.failures
        self._failures = dict(known) if self.state.attempt else dict.fromkeys(selection.targets, 0)

    def make_all(self, on_round: OnRound | None) -> None:
        """Rounds until there are enough items, or none is expected any more."""
        while len(self.state.accepted) < self._request.count and self._failures:
            self._make_round()
            self.state.failures = dict(self._failures)
            if on_round is not None and on_round(self.state):
                self.state.rejections[RejectionReason.DEADLINE] += 1
                return

    def describe_unread(self) -> tuple[str, ...]:
        """That texts were not read by the deployed model, if so."""
        left = self._labels.left
        return (
            (f"{left} texts were not read by the deployed model: it has read many others",)
            if left
            else ()
        )

    def _make_round(self) -> None:
        missing = self._request.count - len(self.state.accepted)
        size = min(LARGEST_ROUND, max(SMALLEST_ROUND, missing))
        targets = list(self._failures)
        first = self.state.attempt
        draws = [
            Draw(targets[at % len(targets)], f"{self._request.seed}/{at}")
            for at in range(first, first + size)
        ]
        self.state.attempt += size
        made = self._make(draws)
        checked = self._check(made)
        for draw, candidate in zip(draws, checked, strict=True):
            if len(self.state.accepted) >= self._request.count:
                return
            self._record(draw.target, candidate)

    def _make(self, draws: Sequence[Draw]) -> list[Candidate | RejectionReason]:
        """Each draw by the method or edge case that its seed chooses, each asked once."""
        groups: dict[int, tuple[SynthesisStrategy, list[int]]] = {}
        for place, draw in enumerate(draws):
            strategy = self._choose(draw)
            groups.setdefault(id(strategy), (strategy, []))[1].append(place)
        made: dict[int, Candidate | RejectionReason] = {}
        for strategy, places in groups.values():
            made |= zip(places, strategy.make([draws[each] for each in places]), strict=True)
        return [made[place] for place in range(len(draws))]

    def _choose(self, draw: Draw) -> SynthesisStrategy:
        edge_cases = self._selection.edge_cases
        if edge_cases is None and len(self._selection.strategies) == 1:
            return self._selection.strategies[0]
        # Of another seed than the draw's own: what is chosen must not go with what is made.
        rng = random.Random(f"{draw.seed}/method")
        if (
            edge_cases is not None
            and self._has_room_for_edge_cases()
            and rng.random() < EDGE_CASE_PROPORTION
        ):
            return edge_cases
        return rng.choice(self._selection.strategies)

    def _has_room_for_edge_cases(self) -> bool:
        """They are combined of anything, and would take the place of what cannot be made."""
        return self._edge_cases < math.ceil(EDGE_CASE_PROPORTION * self._request.count)

    def _check(
        self, made: Sequence[Candidate | RejectionReason]
    ) -> list[Candidate | RejectionReason]:
        """What can be said of candidates without those that are in: the cheap checks first."""
        checked = [
            (self._validator.inspect(each) or each) if isinstance(each, Candidate) else each
            for each in made
        ]
        self._refuse(checked, self._check_labels)
        if self._private is not None:
            self._refuse(checked, self._check_privacy)
        return checked

    def _refuse(
        self,
        checked: list[Candidate | RejectionReason],
        check: Callable[[Sequence[Candidate]], Sequence[RejectionReason | None]],
    ) -> None:
        """Put the reason in the place of each candidate that a check refuses."""
        left = [(at, each) for at, each in enumerate(checked) if isinstance(each, Candidate)]
        for (at, _), reason in zip(left, check([each for _, each in left]), strict=True):
            if reason is not None:
                checked[at] = reason

    def _check_labels(self, candidates: Sequence[Candidate]) -> list[RejectionReason | None]:
        asked = [each for each in candidates if not may_mislead(each)]
        answers = iter(self._labels.check([each.sample for each in asked]))
        return [None if may_mislead(each) else next(answers) for each in candidates]

    def _check_privacy(self, candidates: Sequence[Candidate]) -> list[RejectionReason | None]:
        if self._private is None:
            return [None] * len(candidates)
        near = self._private.find_near([each.sample.input for each in candidates])
        return [RejectionReason.NEAR_PRIVATE_RECORD if each else None for each in near]

    def _record(self, target: str, candidate: Candidate | RejectionReason) -> None:
        rejection: RejectionReason | None
        if isinstance(candidate, Candidate) and (
            candidate.family is None or self._has_room_for_edge_cases()
        ):
            rejection = self._validator.admit(candidate.sample)
        elif isinstance(candidate, Candidate):
            rejection = RejectionReason.ENOUGH_EDGE_CASES
        else:
            rejection = candidate
        if rejection is None and isinstance(candidate, Candidate):
            self.state.accepted.append(candidate)
            self._edge_cases += candidate.family is not None
            if self._request.diversity:
                self._selection.novelty.add(candidate.sample.input)
            if target in self._failures:
                self._failures[target] = 0
            return
        if rejection is not None:
            self.state.rejections[rejection] += 1
        if target in self._failures:
            self._failures[target] += 1
            if self._failures[target] >= MAXIMUM_CONSECUTIVE_REJECTIONS:
                del self._failures[target]


def _redact_examples(examples: Sequence[Sample], result: GenerationResult) -> list[Sample]:
    """Examples without personal data; one that takes too long is set aside and counted."""
    clean: list[Sample] = []
    found: Counter[str] = Counter()
    for example in examples:
        try:
            with limit_seconds(TEXT_SECONDS):
                text = redact(example.input)
        except TextTooSlow:
            result.rejections[RejectionReason.TOO_SLOW] += 1
            continue
        # The answer stays as it is: replaced by its kind, two answers would become one.
        clean.append(Sample(text.text, example.target))
        found += text.found
    result.redacted = dict(sorted(found.items()))
    return clean
