"""Text as it is kept, and text as it is compared."""

from __future__ import annotations

import re
import unicodedata

import orjson
from pydantic import JsonValue

from archon_contracts.rules.normal_text import clean_text, limit_marks

_SPACE = re.compile(r"\s+")
_EDGES = " .,;:!?\u2026"


def to_text(value: JsonValue) -> str:
    """A JSON value as the text that a model reads: strings as they are, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return clean_text(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def normalise_input(text: str) -> str:
    """What two inputs share when they ask the same: no case, spacing or closing punctuation.

    Inner punctuation stays, for `2+2` is not `2-2`. Applying it twice changes nothing.
    """
    composed = unicodedata.normalize("NFKC", limit_marks(text))
    normalised = unicodedata.normalize("NFKC", composed.casefold())
    collapsed = _SPACE.sub(" ", normalised)
    return collapsed.strip(_EDGES) or collapsed.strip()
