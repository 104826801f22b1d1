"""The protected reference set: items that the evaluation asks and that nothing is ever trained on.

They come from the test parts of datasets whose versions were deployed. Those that a trusted person
gave, or whose version a person deployed, are all taken; of the others a few per window and per
rater, so that whoever fills windows gains influence slowly at best. Older items come first, so that
later ones of the same kind replace none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from archon_contracts.commands import SourceKind
from archon_contracts.formats import REPLAY
from services.data_prep.domain import Item
from services.data_prep.sampling.replay_buffer import balance_over_targets

REFERENCE_CAPACITY: Final = 500
ITEMS_PER_WINDOW: Final = 10
"""Items of a window whose version was deployed by itself."""
ITEMS_PER_RATER: Final = 3
"""Of all windows together. All feedback without a unit counts as one rater."""

TRUSTED_SOURCES: Final = frozenset({SourceKind.HUMAN, SourceKind.EXTERNAL})
_NEVER_ASKED: Final = frozenset({str(SourceKind.SYNTHETIC), REPLAY})


@dataclass(frozen=True, slots=True)
class ReferenceCandidate:
    """An item of a deployed version's test part; `vouched`: a person deployed that version."""

    item: Item
    dataset_version: int
    vouched: bool


def select_candidates(test_items: Iterable[Item], seed: int) -> list[Item]:
    """The items of a test part that may enter the set when the version is deployed."""
    asked = (item for item in test_items if item.source not in _NEVER_ASKED)
    return balance_over_targets(asked, seed)[:REFERENCE_CAPACITY]


def select_reference(candidates: Sequence[ReferenceCandidate], seed: int) -> list[Item]:
    """The set: trusted items first, then a few of each window and rater, oldest windows first."""
    trusted = [each for each in candidates if _is_trusted(each)]
    chosen = [each.item for each in _by_version(trusted, seed)]
    of_rater: Counter[str] = Counter()
    of_window: Counter[int] = Counter()
    for each in _by_version([each for each in candidates if not _is_trusted(each)], seed):
        rater, window = each.item.unit, each.dataset_version
        if of_rater[rater] < ITEMS_PER_RATER and of_window[window] < ITEMS_PER_WINDOW:
            of_rater[rater] += 1
            of_window[window] += 1
            chosen.append(each.item)
    return chosen[:REFERENCE_CAPACITY]


def _is_trusted(candidate: ReferenceCandidate) -> bool:
    return candidate.vouched or candidate.item.source in TRUSTED_SOURCES


def _by_version(candidates: Sequence[ReferenceCandidate], seed: int) -> list[ReferenceCandidate]:
    """Older datasets first, each by itself in a seeded random order balanced over targets."""
    by_version: defaultdict[int, dict[str, ReferenceCandidate]] = defaultdict(dict)
    for each in candidates:
        by_version[each.dataset_version][each.item.key] = each
    return [
        of_version[item.key]
        for _, of_version in sorted(by_version.items())
        for item in balance_over_targets((each.item for each in of_version.values()), seed)
    ]
