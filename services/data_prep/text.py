"""Text as it is kept, and text as it is compared."""

from __future__ import annotations

import re
import unicodedata

import orjson
from pydantic import JsonValue

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPACE = re.compile(r"\s+")
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
    return _CONTROL.sub("", unicodedata.normalize("NFC", text)).strip()


def normalise_input(text: str) -> str:
    """What two inputs share when they ask the same: no case, spacing or closing punctuation.

    Inner punctuation stays, for `2+2` is not `2-2`. Applying it twice changes nothing.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    collapsed = _SPACE.sub(" ", folded)
    return collapsed.strip(_EDGES) or collapsed.strip()
