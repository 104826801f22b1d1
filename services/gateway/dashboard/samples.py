"""Items of a dataset's files: a page of them, and a search.

Files are read whole, as their digests are checked whole; only the lines of the page are parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from archon_contracts.formats import (
    NEGATIVES_FILE,
    QUARANTINED_FILE,
    REWARDS_FILE,
    Split,
    split_file,
)

MAX_TEXT_SHOWN: Final = 600
SAMPLES_SHOWN: Final = 25
PARTS: Final[Mapping[str, str]] = {
    **{split.value: split_file(split) for split in Split},
    "quarantined": QUARANTINED_FILE,
    "negatives": NEGATIVES_FILE,
    "rewards": REWARDS_FILE,
}
"""Parts of a prepared dataset that can be looked at, by name."""


@dataclass(frozen=True, slots=True)
class DatasetSample:
    """One item as a page shows it; texts are cut."""

    name: str
    text: str
    answer: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SamplePage:
    """Items that fit a search, and how many of them there are."""

    samples: tuple[DatasetSample, ...]
    found: int
    total: int


def find_samples(content: bytes, text: str, offset: int) -> SamplePage:
    """The items whose line holds `text`, in any case, from `offset` on."""
    lines = [line for line in content.splitlines() if line.strip()]
    wanted = _as_written(text)
    hits = [line for line in lines if wanted in line.lower()] if wanted else lines
    shown = [to_sample(line) for line in hits[offset : offset + SAMPLES_SHOWN]]
    return SamplePage(tuple(shown), len(hits), len(lines))


def _as_written(text: str) -> bytes:
    """A text as it stands in a line of JSON, without its quotes; bytes keep the case of others."""
    return orjson.dumps(text.strip())[1:-1].lower()


def to_sample(line: bytes) -> DatasetSample:
    """The fields that people look for; what is no object is shown as it is."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return DatasetSample("", _cut(line.decode(errors="replace")), "", (("fault", "not JSON"),))
    if not isinstance(found, dict):
        return DatasetSample("", _cut(found), "", (("fault", "no object"),))
    facts = [(name, _cut(found[name])) for name in _FACTS if found.get(name) not in _NOTHING]
    name, text, target = (_cut(found.get(name, "")) for name in ("id", "input", "target"))
    return DatasetSample(name, text, target, tuple(facts))


_NOTHING: Final[tuple[Any, ...]] = (None, "", [], {}, 1.0)
"""A weight or trust of 1 is what an item has that nobody doubts."""
_FACTS: Final = (
    "reason",
    "explanation",
    "actual",
    "rejected",
    "rating",
    "reward",
    "weight",
    "trust",
    "source",
    "feedback_source",
    "generator",
    "method",
    "unit",
    "submitted_by",
    "group",
    "skill",
    "model_version",
    "received_at",
)


def _cut(value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return (
        text if len(text) <= MAX_TEXT_SHOWN else f"{text[:MAX_TEXT_SHOWN]}\N{HORIZONTAL ELLIPSIS}"
    )
