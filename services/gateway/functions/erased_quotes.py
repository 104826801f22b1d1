"""What an analysis of a log quotes of retracted feedback goes: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

IDS: Final = ("interaction_id", "id")
"""Where a quotation says what it is of: `LogEvidence`, `ProposedCase`, items of suggestions."""
REQUESTS: Final = ("text", "request", "input")


def erase_quotes(result: dict[str, Any], erased: Collection[str]) -> dict[str, Any]:
    """`LogsAnalyzed` as JSON without what it quotes of these interactions; figures stay.

    The same request under another interaction's id goes too: it is the same text.
    """
    ids, texts = set(erased), set(_find_texts(result, set(erased)))
    found: dict[str, Any] = _without(result, ids, texts)
    return found


def _find_texts(value: Any, ids: Collection[str]) -> Iterator[str]:
    if isinstance(value, dict):
        if any(_is_in(value.get(name), ids) for name in IDS):
            yield from (str(value[name]) for name in REQUESTS if value.get(name))
        for each in value.values():
            yield from _find_texts(each, ids)
    elif isinstance(value, list):
        for each in value:
            yield from _find_texts(each, ids)


def _without(value: Any, ids: Collection[str], texts: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, ids, texts) for name, each in value.items()}
    if isinstance(value, list):
        return [_without(each, ids, texts) for each in value if not _quotes(each, ids, texts)]
    return value


def _quotes(value: Any, ids: Collection[str], texts: Collection[str]) -> bool:
    if not isinstance(value, dict):
        return isinstance(value, str) and value in ids
    return any(_is_in(value.get(name), ids) for name in IDS) or any(
        _is_in(value.get(name), texts) for name in REQUESTS
    )


def _is_in(value: Any, names: Collection[str]) -> bool:
    # Any JSON may stand there; a list has no hash.
    return isinstance(value, str) and value in names
