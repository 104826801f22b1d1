"""Text as it is kept, and text as it is compared."""

from __future__ import annotations

import re
import unicodedata

import orjson
from pydantic import JsonValue

from archon_contracts.rules.normal_text import clean_text, limit_marks

_VARIATION_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    f"\u2060-\u206f\ufeff{_VARIATION_SELECTORS}]"
)
"""Signs that no reader sees (Unicode's Default_Ignorable_Code_Point, but for reserved ones)."""
_QUOTES = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u0060\u02bc\uff07", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
)
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
    """What two inputs share when they are the same to a reader: neither case, spacing, closing
    punctuation and signs that are not seen count, nor the form of quotes and dashes.

    Inner punctuation stays, for `2+2` is not `2-2`. Applying it twice changes nothing.
    """
    composed = _to_seen(unicodedata.normalize("NFKC", limit_marks(_to_seen(text))))
    # Once more: case mapping can leave the normal form, and applying this twice must change
    # nothing.
    normalised = unicodedata.normalize("NFKC", composed.casefold())
    if not normalised.isascii():
        # Again: compatibility forms give quotes and dashes, and what was between two signs is gone.
        normalised = unicodedata.normalize("NFKC", _to_seen(normalised))
    collapsed = _SPACE.sub(" ", normalised)
    # An input of punctuation alone keeps it, or all such inputs would be one.
    return collapsed.strip(_EDGES) or collapsed.strip()


def _to_seen(text: str) -> str:
    """The text without unseen signs, with plain quotes and dashes."""
    return text if text.isascii() else _UNSEEN.sub("", text).translate(_QUOTES)
