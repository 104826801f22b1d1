"""What became of each feedback event that windows took: kept in which part, or left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from archon_contracts.formats import NEGATIVES_FILE, QUARANTINED_FILE, REPLAY, Split, split_file
from services.gateway.dashboard.samples import DatasetSample, to_sample

DECIDED_FILES: Final[Mapping[str, str]] = {
    "quarantined": QUARANTINED_FILE,
    "negative": NEGATIVES_FILE,
    **{f"kept for {split.value}": split_file(split) for split in Split},
}
"""What was decided of the items of each file, the ones to look at first."""


@dataclass(frozen=True, slots=True)
class TrustDecision:
    """An item of a window, what was decided of it, and the dataset that says so."""

    decision: str
    dataset_version: int
    dataset_id: str
    source: str
    sample: DatasetSample


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """What somebody looks for; empty: everything."""

    decision: str = ""
    source: str = ""
    text: str = ""

    def fits(self, decision: str, source: str, line: bytes) -> bool:
        """Whether an item, as its line, is looked for."""
        wanted = orjson.dumps(self.text.strip())[1:-1].lower()
        return (
            (not self.decision or self.decision == decision)
            and (not self.source or self.source == source)
            and (not wanted or wanted in line.lower())
        )


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """A part of the decisions that fit, how many there are, and how many of each kind."""

    decisions: tuple[TrustDecision, ...]
    found: int
    by_decision: Mapping[str, int]
    sources: tuple[str, ...]


def list_decisions(
    datasets: Iterable[tuple[int, str, Mapping[str, bytes]]],
    wanted: DecisionFilter,
    *,
    offset: int,
    limit: int,
) -> DecisionPage:
    """The decisions of datasets, the newest first; each is its version, its id and its files.

    Items that an earlier version learned, and those that nobody sent, are no feedback of a window.
    """
    counts: Counter[str] = Counter()
    sources: set[str] = set()
    found: list[tuple[str, int, str, str, bytes]] = []
    for version, name, files in datasets:
        for decision, file in DECIDED_FILES.items():
            for line, item in _items(files.get(file, b"")):
                if item.get("source", "") in (REPLAY, "synthetic"):
                    continue
                source = str(item.get("feedback_source") or item.get("source") or "")
                counts[decision] += 1
                sources.add(source)
                if wanted.fits(decision, source, line):
                    found.append((decision, version, name, source, line))
    shown = [
        TrustDecision(decision, version, name, source, to_sample(line))
        for decision, version, name, source, line in found[offset : offset + limit]
    ]
    return DecisionPage(tuple(shown), len(found), dict(counts), tuple(sorted(sources - {""})))


def _items(content: bytes) -> Sequence[tuple[bytes, dict[str, Any]]]:
    lines = [line for line in content.splitlines() if line.strip()]
    parsed = [(line, orjson.loads(line)) for line in lines]
    return [(line, item) for line, item in parsed if isinstance(item, dict)]
