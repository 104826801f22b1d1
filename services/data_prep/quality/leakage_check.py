"""Whether inputs of the evaluation's parts are nearly in another part: an independent check.

The split keeps near duplicates together by construction; this compares what was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from archon_contracts.formats import LeakageCheck, LeakedPair, Split
from services.data_prep.dedup.near_duplicates import shingles
from services.data_prep.domain import GradedItem, Item
from services.data_prep.seeded_hash import seeded_hash
from shared.similarity import PrefixIndex

THRESHOLD: Final = 0.8
EXAMPLES: Final = 20
COMPARED_AGAINST: Final = 50_000
QUERIES: Final = 5_000
"""Above these sizes a sample is compared, chosen by hash: a count of pairs of it is still none
where there is none, and the check ends in seconds."""
COMPARISONS: Final = 200_000
"""In all. Inputs with much wording in common have most others as candidates; what is left unchecked
is not among those `compared`."""


def check_leakage(splits: Mapping[Split, Sequence[GradedItem]]) -> LeakageCheck:
    """Pairs of inputs in different parts whose character 4-grams have a Jaccard index of 0.8."""
    parts = {name: [graded.item for graded in part] for name, part in splits.items()}
    test = _sample(parts[Split.TEST], QUERIES)
    validation = _sample(parts[Split.VALIDATION], QUERIES)
    indexed = [*_sample(parts[Split.TRAIN], COMPARED_AGAINST), *validation, *test]
    sets = [shingles(item.key) for item in indexed]
    frequency = Counter(gram for grams in sets for gram in grams)
    ordered = [sorted(grams, key=lambda gram: (frequency[gram], gram)) for grams in sets]
    index: PrefixIndex[str] = PrefixIndex(THRESHOLD)
    pairs: list[LeakedPair] = []
    left, compared = COMPARISONS, 0
    trained = len(indexed) - len(validation) - len(test)
    ends = (trained, trained + len(validation), len(indexed))
    for start, end in zip((0, *ends), ends, strict=False):
        for position in range(start, end):
            # Part by part: a part is compared with those before it, and not with itself.
            if not start or not left:
                continue
            near = sorted(set(islice(index.candidates(ordered[position]), left)))
            left, compared = left - len(near), compared + 1
            pairs += _find_pairs(position, near, indexed, sets)
        for position in range(start, end):
            index.add(ordered[position])
    return LeakageCheck(
        threshold=THRESHOLD,
        compared=compared,
        pairs=len(pairs),
        examples=tuple(pairs[:EXAMPLES]),
    )


def _find_pairs(
    position: int, near: Sequence[int], items: Sequence[Item], sets: Sequence[set[str]]
) -> list[LeakedPair]:
    found = []
    for other in near:
        shared = len(sets[position] & sets[other])
        similarity = shared / (len(sets[position]) + len(sets[other]) - shared)
        if similarity >= THRESHOLD:
            pair = LeakedPair(
                first=items[position].id, second=items[other].id, similarity=round(similarity, 4)
            )
            found.append(pair)
    return found


def _sample(items: Sequence[Item], most: int) -> list[Item]:
    if len(items) <= most:
        return list(items)
    return sorted(items, key=lambda item: (seeded_hash(0, "leakage", item.key), item.key))[:most]
