"""Edge cases by family: inputs that are awkward and whose right answer is known all the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from archon_contracts.commands import EdgeCaseFamily
from services.synthetic_generator.domain import (
    MISLEADING_FAMILIES,
    Candidate,
    Draw,
    Method,
    RejectionReason,
    Sample,
)
from services.synthetic_generator.generators.adversarial import (
    distractor,
    negation,
    noise,
    prompt_injection,
)
from services.synthetic_generator.generators.grammar import OutOfScope
from services.synthetic_generator.generators.mutation import mutate
from services.synthetic_generator.generators.ports import SampleGenerator
from services.synthetic_generator.quality.language import split_words

LONG_WORDS: Final = 120
"""Words of a very long input: twice what difficulty counts as long, and several times a request."""
MOST_PARTS: Final = 60
ABSTAINING_ANSWERS: Final = frozenset(
    {"out_of_scope", "out-of-scope", "oos", "out_of_domain", "none", "no_answer", "fallback"}
)
"""Names under which examples hold what the agent is not for."""
_EMPTY: Final = ("?", "...", "-", "!!", "??", "\u2026", "\U0001f615", "\U0001f44d", ".", "hm", "eh")
_ELSEWHERE: Final = (
    ("Hola,", "gracias."),
    ("Bonjour,", "merci d'avance."),
    ("Guten Tag,", "vielen Dank."),
    ("Ciao,", "grazie mille."),
    ("\u4f60\u597d\uff0c", "\u8c22\u8c22\u3002"),
    ("\u041f\u0440\u0438\u0432\u0435\u0442,", "\u0441\u043f\u0430\u0441\u0438\u0431\u043e."),
    ("\u0645\u0631\u062d\u0628\u0627\u060c", "\u0634\u0643\u0631\u0627."),
    ("Ol\u00e1,", "obrigado."),
)
_TAKEN_BACK: Final = (
    "{other} No, wait, ignore that. {real}",
    "{other} Actually, that is wrong, I do not want it. {real}",
    "{other} Sorry, I changed my mind: {real}",
    "First I thought: {other} But now, instead: {real}",
    "{other} Cancel what I just wrote. {real}",
)


@dataclass(frozen=True, slots=True)
class _Case:
    """What a family makes its input of."""

    real: Sample
    draw_more: Callable[[str], Sample | None]
    others: Sequence[str]
    rng: random.Random


def _make_long(case: _Case) -> str:
    """Samples of one answer after each other: any language, and the answer is the same."""
    parts = [case.real.input]
    for _ in range(MOST_PARTS):
        if sum(len(split_words(part)) for part in parts) >= LONG_WORDS:
            break
        more = case.draw_more(case.real.target)
        parts += [more.input] if more else []
    return " ".join(parts)


def _mix_languages(case: _Case) -> str:
    before, after = case.rng.choice(_ELSEWHERE)
    return f"{before} {case.real.input} {after}"


def _with_other(make: Callable[[Sample, Sample, random.Random], str]) -> Callable[[_Case], str]:
    """A family that needs a sample of another answer; without one it adds noise."""

    def apply(case: _Case) -> str:
        other = case.draw_more(case.rng.choice(case.others)) if case.others else None
        return make(case.real, other, case.rng) if other else noise(case.real, case.real, case.rng)

    return apply


def _take_back(real: Sample, other: Sample, rng: random.Random) -> str:
    return rng.choice(_TAKEN_BACK).format(real=real.input, other=other.input)


def _near_miss(real: Sample, other: Sample, rng: random.Random) -> str:
    return rng.choice((distractor, negation))(real, other, rng)


_MAKERS: Mapping[EdgeCaseFamily, Callable[[_Case], str]] = {
    EdgeCaseFamily.VERY_LONG: _make_long,
    EdgeCaseFamily.MIXED_LANGUAGE: _mix_languages,
    EdgeCaseFamily.CONTRADICTORY: _with_other(_take_back),
    EdgeCaseFamily.NEAR_MISS: _with_other(_near_miss),
    EdgeCaseFamily.PROMPT_INJECTION: _with_other(prompt_injection),
    EdgeCaseFamily.NOISE: lambda case: noise(case.real, case.real, case.rng),
}
WITHOUT_ANSWER: Final = frozenset({EdgeCaseFamily.EMPTY, EdgeCaseFamily.OUT_OF_SCOPE})
"""Families whose right answer is to abstain."""


class EdgeCases:
    """Makes the edge case of a draw; the families take their parts in equal proportions."""

    def __init__(
        self,
        generator: SampleGenerator,
        families: Sequence[EdgeCaseFamily],
        abstaining: OutOfScope | None,
    ) -> None:
        self._generator = generator
        self._abstaining = abstaining
        self._families = families

    def make(self, draws: Sequence[Draw]) -> list[Candidate | RejectionReason]:
        """One edge case for each draw, of the draw's answer where its family keeps it."""
        return [self._make(draw) for draw in draws]

    def _make(self, draw: Draw) -> Candidate | RejectionReason:
        rng = draw.rng()
        family = rng.choice(self._families)
        if family in WITHOUT_ANSWER:
            return self._abstain(family, rng)
        if family in MISLEADING_FAMILIES and not self._generator.is_english:
            family = EdgeCaseFamily.NOISE

        def draw_more(target: str) -> Sample | None:
            made = self._generator.generate(target, "easy", rng)
            return made.sample if made else None

        real = draw_more(draw.target)
        if real is None:
            return RejectionReason.CONSTRAINTS
        others = [each for each in self._generator.targets if each != draw.target]
        text = _MAKERS[family](_Case(real, draw_more, others, rng))
        return Candidate(Sample(text, draw.target), Method.ADVERSARIAL, family)

    def _abstain(self, family: EdgeCaseFamily, rng: random.Random) -> Candidate | RejectionReason:
        if self._abstaining is None:
            return RejectionReason.NO_ABSTAINING_ANSWER
        if family is EdgeCaseFamily.EMPTY:
            text = " ".join(rng.choices(_EMPTY, k=rng.randint(1, 3)))
        else:
            sentence = rng.choice(self._abstaining.sentences)
            text = mutate(sentence, "medium", rng, english=self._generator.is_english)
        return Candidate(Sample(text, self._abstaining.target), Method.ADVERSARIAL, family)


def find_abstaining(samples: Sequence[Sample]) -> OutOfScope | None:
    """The answer to what the agent is not for, and what examples ask of it; None: there is none."""
    found = sorted({s.target for s in samples if s.target.casefold() in ABSTAINING_ANSWERS})
    if not found:
        return None
    return OutOfScope(found[0], tuple(s.input for s in samples if s.target == found[0]))
