"""How much of a window one rater may give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from archon_contracts.values import TrustPolicy

FAIR_SHARE_MULTIPLE: Final = 2.0
"""A unit may give this many times the mean of all raters, where units are few."""


def compute_unit_limit(counts: Sequence[int], others: int, trust: TrustPolicy) -> int:
    """The most that a rater may give: its proportion of what then counts, or the floor.

    The greatest limit that keeps to the share after it is applied: a flood does not raise it.
    """
    if not counts:
        return 0
    share = max(trust.unit_proportion, FAIR_SHARE_MULTIPLE / (len(counts) + others))
    limit = max(counts)
    while True:
        total = others + sum(min(count, limit) for count in counts)
        fair = max(trust.unit_floor, math.floor(share * total))
        if fair >= limit:
            return limit
        limit = fair
