"""Adversarial examples: small edits that keep the meaning and change the deployed answer."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from archon_contracts.commands import EdgeCaseFamily
from services.synthetic_generator.domain import Candidate, Draw, Method, RejectionReason, Sample
from services.synthetic_generator.generators.adversarial import prompt_injection
from services.synthetic_generator.generators.mutation import (
    Edit,
    add_courtesy,
    add_typo,
    change_case,
    reorder,
)
from services.synthetic_generator.generators.ports import SampleGenerator

if TYPE_CHECKING:
    from archon_inference.ports import Predictor

STEPS: Final = 3
"""Edits of one text at most: more of them would no longer be small."""
VARIANTS: Final = 6
"""Tried in each step."""
INJECTION_PROPORTION: Final = 0.25
_SYNONYMS: Final = {
    "want": "would like",
    "need": "require",
    "buy": "purchase",
    "get": "obtain",
    "help": "assist",
    "broken": "defective",
    "send": "ship",
    "show": "display",
    "find": "locate",
    "please": "kindly",
    "my": "our",
    "cannot": "am not able to",
    "big": "large",
    "quick": "fast",
    "start": "begin",
    "end": "finish",
    "many": "a lot of",
}
_WORD: Final = re.compile(r"[A-Za-z]+")


@dataclass(slots=True)
class _AttackSearch:
    """The state of one text's search: the best edit so far and how sure the model is of it."""

    draw: Draw
    text: str
    rng: random.Random
    confidence: float = 1.0
    found: str | None = None


class DeployedAttack:
    """Greedy search: of each step's edits the one that the model is least sure of is kept.

    Source: TextFooler's search (Jin et al., "Is BERT really robust?", AAAI 2020), over edits that
    need no other model. A quarter of the draws are prompt injections.
    """

    def __init__(self, generator: SampleGenerator, predictor: Predictor) -> None:
        self._generator = generator
        self._predictor = predictor
        english = (replace_synonym, add_courtesy) if generator.is_english else ()
        self._edits: tuple[Edit, ...] = (add_typo, change_case, reorder, *english)

    def make(self, draws: Sequence[Draw]) -> list[Candidate | RejectionReason]:
        """An edit that the deployed model answers wrong for each draw, or why there is none."""
        made: dict[str, Candidate | RejectionReason] = {}
        searches: list[_AttackSearch] = []
        for draw in draws:
            started = self._start(draw)
            if isinstance(started, _AttackSearch):
                searches.append(started)
            else:
                made[draw.seed] = started
        # A text that it answers wrong as it is needs no edit, and shows nothing about edits.
        open_searches = self._keep_answered_right(searches)
        for _ in range(STEPS):
            self._step(open_searches)
            open_searches = [each for each in open_searches if each.found is None]
        for search in searches:
            text, target = search.found, search.draw.target
            made[search.draw.seed] = (
                Candidate(Sample(text, target), Method.ADVERSARIAL)
                if text is not None
                else RejectionReason.NOT_FLIPPED
            )
        return [made[draw.seed] for draw in draws]

    def _start(self, draw: Draw) -> _AttackSearch | Candidate | RejectionReason:
        rng = draw.rng()
        made = self._generator.generate(draw.target, "easy", rng)
        if made is None:
            return RejectionReason.CONSTRAINTS
        others = [each for each in self._generator.targets if each != draw.target]
        if others and self._generator.is_english and rng.random() < INJECTION_PROPORTION:
            text = prompt_injection(made.sample, Sample("", rng.choice(others)), rng)
            family = EdgeCaseFamily.PROMPT_INJECTION
            return Candidate(Sample(text, draw.target), Method.ADVERSARIAL, family)
        return _AttackSearch(draw, made.sample.input, rng)

    def _keep_answered_right(self, searches: Sequence[_AttackSearch]) -> list[_AttackSearch]:
        answers = self._predictor.predict([each.text for each in searches]) if searches else []
        pairs = zip(searches, answers, strict=True)
        return [search for search, answer in pairs if answer.output == search.draw.target]

    def _step(self, searches: Sequence[_AttackSearch]) -> None:
        """One more edit of each text; all variants of all texts are asked at once."""
        variants = [
            (search, search.rng.choice(self._edits)(search.text, search.rng))
            for search in searches
            for _ in range(VARIANTS)
        ]
        if not variants:
            return
        answers = self._predictor.predict([text for _, text in variants])
        best: dict[str, tuple[float, str]] = {}
        for (search, text), answer in zip(variants, answers, strict=True):
            if answer.output != search.draw.target:
                search.found = search.found or text
            elif answer.score < best.get(search.draw.seed, (search.confidence, ""))[0]:
                best[search.draw.seed] = (answer.score, text)
        for search in searches:
            if search.draw.seed in best:
                search.confidence, search.text = best[search.draw.seed]


def replace_synonym(text: str, rng: random.Random) -> str:
    """One word replaced by another that means the same; a text without one stays as it is."""
    words = [match for match in _WORD.finditer(text) if match.group().lower() in _SYNONYMS]
    if not words:
        return text
    word = rng.choice(words)
    return text[: word.start()] + _SYNONYMS[word.group().lower()] + text[word.end() :]
