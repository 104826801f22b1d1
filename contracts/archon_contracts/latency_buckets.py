"""Latencies counted in logarithmic buckets, so that counts of hours and versions can be added.

Buckets grow by a quarter of an octave: a quantile read from them is within 9 % of the true one.
"""

from __future__ import annotations

import math
from typing import Final

BUCKETS_PER_OCTAVE: Final = 4
MIN_LATENCY_SECONDS: Final = 1e-6
MAX_LATENCY_SECONDS: Final = 1e9


def bucket_of(seconds: float) -> int:
    """The bucket of a latency; everything below a microsecond is in one bucket."""
    return round(math.log2(max(seconds, MIN_LATENCY_SECONDS)) * BUCKETS_PER_OCTAVE)


def bucket_midpoint_seconds(bucket: int) -> float:
    """The geometric middle of a bucket."""
    return float(2 ** (bucket / BUCKETS_PER_OCTAVE))
