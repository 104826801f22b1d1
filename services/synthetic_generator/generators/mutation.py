"""Surface edits that leave the meaning alone: typos, case, courtesy, the order of clauses.

Polite words are English, so they stand around English texts only.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Edit = Callable[[str, random.Random], str]

_LETTERS = re.compile(r"[^\W\d_]{4,}")
_PLACEHOLDER = re.compile(r"<[A-Z]+>")
_CLAUSES = re.compile("(?<=[.!?\u061f]) +|(?<=[\u3002\uff01\uff1f])")
_BEFORE = ("Please: ", "Could you help me? ", "I would like to ask: ", "Hello, ", "Kindly: ")
_AFTER = (" Thank you.", " Thanks a lot!", " Please.", " Much appreciated.", " Cheers.")


def add_typo(text: str, rng: random.Random) -> str:
    """One typing error inside a word: letters exchanged, doubled or left out.

    Digits, short words and placeholders are left as they are: there a typo changes the meaning.
    """
    shielded = [match.span() for match in _PLACEHOLDER.finditer(text)]
    words = [
        match
        for match in _LETTERS.finditer(text)
        if not any(start <= match.start() < end for start, end in shielded)
        # Signs without upper and lower case are mostly syllables or words: another one means
        # something else.
        and match.group().lower() != match.group().upper()
    ]
    if not words:
        return text
    word = rng.choice(words)
    at = rng.randrange(word.start() + 1, word.end() - 1)
    kind = rng.randrange(3)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1:
        return text[:at] + text[at] + text[at:]
    return text[:at] + text[at + 1 :]


def change_case(text: str, rng: random.Random) -> str:
    """Another use of capitals."""
    return rng.choice((text.lower(), text.upper(), text[:1].swapcase() + text[1:]))


def add_courtesy(text: str, rng: random.Random) -> str:
    """A polite word before or after."""
    return rng.choice(_BEFORE) + text if rng.random() < 0.5 else text + rng.choice(_AFTER)


def reorder(text: str, rng: random.Random) -> str:
    """The sentences in another order; one sentence stays as it is."""
    clauses = list(filter(None, _CLAUSES.split(text)))
    if not clauses:
        return text
    at = rng.randrange(len(clauses))
    separator = " " if " " in text else ""
    return separator.join((*clauses[at:], *clauses[:at]))


EDITS: dict[str, tuple[Edit, ...]] = {
    "easy": (change_case, add_courtesy),
    "medium": (add_typo, add_courtesy, reorder),
    "hard": (add_typo, add_typo, add_courtesy, reorder, change_case),
}
"""What an item of a difficulty may meet."""


def mutate(text: str, difficulty: str, rng: random.Random, *, english: bool = True) -> str:
    """The text after one (easy), two (medium) or three (hard) edits."""
    edits = [edit for edit in EDITS[difficulty] if english or edit is not add_courtesy]
    count = {"easy": 1, "medium": 2, "hard": 3}[difficulty]
    for edit in rng.sample(edits, k=min(count, len(edits))):
        text = edit(text, rng)
    return text
