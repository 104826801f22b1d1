"""The normal form of labels, answers and targets: equal texts are equal code points everywhere.

Labels of an agent, entries of a catalogue, targets of suites and datasets, and feedback on them
come from different keyboards and systems; each is brought to this form where it enters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UNSEEN: Final = frozenset({"Cc", "Cf"})
MAXIMUM_MARKS: Final = 30
"""As in the Stream-Safe Text Format of Unicode Standard Annex 15."""


def clean_text(text: str) -> str:
    """The text in composed Unicode form, without control characters and outer space."""
    if text.isascii() and text.isprintable():  # nearly all text: nothing to remove or to compose
        return text.strip()
    visible = _CONTROL.sub("", text)  # first: what they separated may compose
    if visible.isascii():  # composed already
        return visible.strip()
    return unicodedata.normalize("NFC", limit_marks(visible)).strip()


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing: spaces, controls and signs that only format others."""
    return all(sign.isspace() or unicodedata.category(sign) in _UNSEEN for sign in text)


def same_text(one: str, other: str) -> bool:
    """Whether two texts have one normal form."""
    return one == other or clean_text(one) == clean_text(other)


def limit_marks(text: str) -> str:
    """The text with at most `MAXIMUM_MARKS` combining marks in a row; further ones are dropped.

    Normalisation sorts each run of marks by insertion, in time that grows with the square of its
    length: without a limit one long run takes minutes. No writing system needs this many.
    """
    if text.isascii():
        return text
    kept: list[str] = []
    run = 0
    for sign in text:
        run = run + 1 if _is_mark(sign) else 0
        if run <= MAXIMUM_MARKS:
            kept.append(sign)
    return "".join(kept)


@lru_cache(maxsize=4096)
def _is_mark(sign: str) -> bool:
    """Whether the sign decomposes to a combining mark first, such as U+0301 or U+FF9E."""
    return unicodedata.combining(unicodedata.normalize("NFKD", sign)[0]) != 0
