"""Text as it is kept, and text as it is compared."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import orjson
from pydantic import JsonValue

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPACE = re.compile(r"\s+")
MAXIMUM_MARKS = 30
"""As in the Stream-Safe Text Format of Unicode Standard Annex 15."""
_EDGES = " .,;:!?\u2026"


def to_text(value: JsonValue) -> str:
    """A JSON value as the text that a model reads: strings as they are, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return clean_text(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def clean_text(text: str) -> str:
    """The text in composed Unicode form, without control characters and outer space."""
    return _CONTROL.sub("", unicodedata.normalize("NFC", limit_marks(text))).strip()


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


def normalise_input(text: str) -> str:
    """What two inputs share when they ask the same: no case, spacing or closing punctuation.

    Inner punctuation stays, for `2+2` is not `2-2`. Applying it twice changes nothing.
    """
    composed = unicodedata.normalize("NFKC", limit_marks(text))
    normalised = unicodedata.normalize("NFKC", composed.casefold())
    collapsed = _SPACE.sub(" ", normalised)
    return collapsed.strip(_EDGES) or collapsed.strip()
