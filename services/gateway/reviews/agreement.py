"""How far reviewers agree: Cohen's and Fleiss' kappa. Pure.

Without a scientific library: the gateway's process stays small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID


def compute_cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Agreement of two reviewers on the same items, corrected for chance.

    J. Cohen, "A coefficient of agreement for nominal scales", 1960. None: there is no item, or both
    always choose the same, which no coefficient can separate from chance.
    """
    n = len(first)
    if not n:
        return None
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    left, right = Counter(first), Counter(second)
    expected = sum(left[choice] * right[choice] for choice in left) / n**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def compute_fleiss_kappa(items: Sequence[Sequence[str]]) -> float | None:
    """Agreement of any reviewers on items that each have the same number of choices, two or more.

    J. L. Fleiss, "Measuring nominal scale agreement among many raters", 1971. None: as above.
    """
    if not items:
        return None
    raters = len(items[0])
    if raters < 2 or any(len(each) != raters for each in items):
        raise ValueError("each item needs the same number of choices, two or more")
    counts = [Counter(each) for each in items]
    pairs = raters * (raters - 1)
    observed = sum(sum(c * (c - 1) for c in each.values()) / pairs for each in counts) / len(items)
    total: Counter[str] = Counter()
    for each in counts:
        total += each
    expected = sum((c / (len(items) * raters)) ** 2 for c in total.values())
    return None if expected == 1 else (observed - expected) / (1 - expected)


def find_agreement(
    choices: Mapping[UUID, Mapping[str, str]],
) -> tuple[str, float | None, int]:
    """The coefficient that fits, its value, and the items that it is of.

    `choices` is item -> reviewer -> choice. With two reviewers in all it is Cohen's; with more,
    Fleiss' over the items that have the most frequent number of choices.
    """
    shared = [each for each in choices.values() if len(each) > 1]
    reviewers = sorted({name for each in shared for name in each})
    if len(reviewers) == 2:
        sides = [[each[name] for each in shared] for name in reviewers]
        return "cohen", compute_cohen_kappa(*sides), len(shared)
    if not shared:
        return "", None, 0
    size = Counter(len(each) for each in shared).most_common(1)[0][0]
    fitting = [list(each.values()) for each in shared if len(each) == size]
    return "fleiss", compute_fleiss_kappa(fitting), len(fitting)
