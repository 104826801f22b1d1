"""Changes of an input that leave its meaning: pure, and equal for equal seeds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

from services.evaluator.suites.suite_model import Perturbation, SuiteCase

WORDS_PER_TYPO: Final = 5
KEPT_PART: Final = 0.75
"""Of the words of a truncated input."""
DISTRACTORS: Final = (
    "By the way, it has been raining here all morning.",
    "I am writing this from my phone.",
    "My colleague asked about something else yesterday.",
    "Thanks a lot for your help.",
)


def perturb(case: SuiteCase, kind: Perturbation, seed: int) -> list[str]:
    """The perturbed inputs of a case: one, or each of its paraphrases.

    Empty where the change leaves the input as it is.
    """
    if kind is Perturbation.PARAPHRASE:
        return list(case.paraphrases)
    # Of text alone, so that a case keeps its typos when others are added.
    changed = _CHANGES[kind](case.input, random.Random(f"{seed}/{kind}/{case.id}"))
    return [] if changed == case.input else [changed]


def _add_typos(text: str, chance: random.Random) -> str:
    """Adjacent letters of every fifth word or so change places."""
    words = text.split(" ")
    long = [place for place, word in enumerate(words) if len(word) > 3]
    for place in chance.sample(long, min(len(long), max(1, len(words) // WORDS_PER_TYPO))):
        word = words[place]
        at = chance.randrange(1, len(word) - 1)
        words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def _change_case(text: str, chance: random.Random) -> str:
    return chance.choice((str.upper, str.lower, str.swapcase))(text)


def _truncate(text: str, _chance: random.Random) -> str:
    words = text.split(" ")
    return " ".join(words[: max(1, round(len(words) * KEPT_PART))])


def _add_distractor(text: str, chance: random.Random) -> str:
    sentence = chance.choice(DISTRACTORS)
    return f"{sentence} {text}" if chance.random() < 0.5 else f"{text} {sentence}"


_CHANGES: Final[Mapping[Perturbation, Callable[[str, random.Random], str]]] = {
    Perturbation.TYPOS: _add_typos,
    Perturbation.CASING: _change_case,
    Perturbation.TRUNCATION: _truncate,
    Perturbation.DISTRACTORS: _add_distractor,
}
