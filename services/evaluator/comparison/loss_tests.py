"""Tests of a loss in one group of many, and the loss that a group's size can show.

scipy is imported here, so only child processes may import this module; `special` alone, as
`scipy.stats` costs every fork server 22 MB (see `estimates.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from scipy.special import bdtrc, ndtri

from archon_contracts.events import PairedComparison

POWER: Final = 0.8
"""Probability with which a loss of the stated size would have been found; the field's custom."""


def compute_loss_p_value(pair: PairedComparison) -> float:
    """One-sided exact p of McNemar's test for a loss: lost items among those that differ."""
    return _compute_p_value(pair.deployed_only, pair.candidate_only)


def compute_gain_p_value(pair: PairedComparison) -> float:
    """The same for a gain."""
    return _compute_p_value(pair.candidate_only, pair.deployed_only)


def _compute_p_value(changed: int, opposite: int) -> float:
    """Probability of so many or more of all that differ, were both directions equally likely."""
    return float(bdtrc(changed - 1, changed + opposite, 0.5)) if changed else 1.0


def adjust_holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values that may be compared with one level though there are many of them.

    Neither scipy nor another dependency has it. Source: Holm 1979, Scandinavian Journal of
    Statistics 6, 65-70.
    """
    adjusted: dict[str, float] = {}
    largest = 0.0
    ranked = sorted(p_values, key=lambda name: (p_values[name], name))
    for rank, name in enumerate(ranked):
        # Never below the one before: the order of the p-values is kept.
        largest = max(largest, min(1.0, (len(ranked) - rank) * p_values[name]))
        adjusted[name] = largest
    return adjusted


def estimate_detectable_loss(pair: PairedComparison, level: float) -> float:
    """The loss that a one-sided test at `level` finds with a probability of `POWER`.

    From the normal approximation of McNemar's test; items that differ are estimated with one more
    (Laplace), as none among few is no proof that there are none. Source: Connor 1987, Biometrics
    43, 207-211.
    """
    n = pair.difference.n
    differing = (pair.candidate_only + pair.deployed_only + 1) / (n + 2)
    z = float(ndtri(POWER) - ndtri(level))
    # A loss cannot be larger than what differs, so a large one brings its own differing items.
    return min(1.0, max(z * math.sqrt(differing / n), z * z / n))
