"""Items of a dataset's files: a page of them, a search, and what differs between two versions.

Files are read whole, as their digests are checked whole; only the lines of the page are parsed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
CHANGES_SHOWN: Final = 20
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


@dataclass(slots=True)
class DatasetDifference:
    """What a version of a dataset has that another has not. Items are the same by their ids."""

    added: int = 0
    removed: int = 0
    relabelled: int = 0
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    targets: Counter[str] = field(default_factory=Counter)
    """Change of the number of items per target."""
    examples: list[tuple[str, DatasetSample]] = field(default_factory=list)


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


def find_differences(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> DatasetDifference:
    """What changed from one version's files to another's; both are files by part."""
    old, new = _index(before), _index(after)
    found = DatasetDifference(
        added=len(new.keys() - old.keys()), removed=len(old.keys() - new.keys())
    )
    for name, (part, item) in new.items():
        found.targets[_target(item)] += 1
        known = old.get(name)
        if known is None:
            _keep(found, "added", item)
            continue
        if known[0] != part:
            found.moved[known[0], part] += 1
        if _target(known[1]) != _target(item):
            found.relabelled += 1
            _keep(found, "other target", item)
    for name, (_, item) in old.items():
        found.targets[_target(item)] -= 1
        if name not in new:
            _keep(found, "removed", item)
    return found


def _keep(found: DatasetDifference, what: str, item: Mapping[str, Any]) -> None:
    # Of each kind alike: a version that only grows must not hide what left it.
    if sum(kind == what for kind, _ in found.examples) < CHANGES_SHOWN // 3:
        found.examples.append((what, to_sample(orjson.dumps(item))))


def _target(item: Mapping[str, Any]) -> str:
    return _cut(item.get("target", ""))


def _index(files: Mapping[str, bytes]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Items of all parts by id; one without an id counts by its input."""
    return {
        str(item.get("id") or item.get("input")): (part, item)
        for part, content in files.items()
        for item in _objects(content.splitlines())
    }


def _objects(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    found: Sequence[Any] = [orjson.loads(line) for line in lines if line.strip()]
    return [each for each in found if isinstance(each, dict)]
