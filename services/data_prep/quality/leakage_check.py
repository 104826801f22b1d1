"""Whether inputs of the evaluation's parts are nearly in another part: an independent check.

The split keeps near duplicates together by construction; this compares what was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from archon_contracts.formats import LeakageCheck, LeakedPair, Split
from services.data_prep.dedup.gram_sets import make_gram_sets
from services.data_prep.dedup.near_duplicates import find_candidates, measure_similarity
from services.data_prep.domain import GradedItem, Item
from services.data_prep.seeded_hash import seeded_hash
from shared.similarity import TOLERANCE

THRESHOLD: Final = 0.8
EXAMPLES: Final = 20
COMPARED_AGAINST: Final = 50_000
QUERIES: Final = 5_000
"""Above these sizes a sample is compared, chosen by hash: a count of pairs of it is still none
where there is none, and the check ends in seconds."""
COMPARISONS: Final = 2_000_000
"""In all. Inputs with much wording in common have most others as candidates; what is left unchecked
is not among those `compared`."""
CANDIDATES: Final = 8192
"""Of one input: how many that share its rarest wording are looked at."""


def check_leakage(splits: Mapping[Split, Sequence[GradedItem]]) -> LeakageCheck:
    """Pairs of inputs in different parts whose character 4-grams have a Jaccard index of 0.8."""
    import numpy

    most = {Split.TRAIN: COMPARED_AGAINST, Split.VALIDATION: QUERIES, Split.TEST: QUERIES}
    parts = [_sample([graded.item for graded in splits[name]], n) for name, n in most.items()]
    items = [item for part in parts for item in part]
    sets = make_gram_sets([item.key for item in items])
    part_of = numpy.repeat(numpy.arange(len(parts)), [len(part) for part in parts])
    left, compared, pairs = COMPARISONS, 0, 0
    examples: list[LeakedPair] = []
    # Those of the training part are compared by the others.
    blocks = find_candidates(sets, THRESHOLD, CANDIDATES, queries_from=len(parts[0]))
    for block in blocks:
        if not left:
            break
        across = part_of[block.later] != part_of[block.earlier]
        later, earlier = block.later[across][:left], block.earlier[across][:left]
        left, compared = left - len(later), compared + block.texts
        similarity = measure_similarity(sets, (later, earlier))
        alike = numpy.flatnonzero(similarity >= THRESHOLD - TOLERANCE)
        pairs += len(alike)
        examples += [
            LeakedPair(
                first=items[later[at]].id,
                second=items[earlier[at]].id,
                similarity=round(float(similarity[at]), 4),
            )
            for at in alike[: EXAMPLES - len(examples)].tolist()
        ]
    return LeakageCheck(
        threshold=THRESHOLD, compared=compared, pairs=pairs, examples=tuple(examples)
    )


def _sample(items: Sequence[Item], most: int) -> list[Item]:
    if len(items) <= most:
        return list(items)
    return sorted(items, key=lambda item: (seeded_hash(0, "leakage", item.key), item.key))[:most]
