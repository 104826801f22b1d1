"""One label out of several annotators', and how far annotators agree at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from archon_contracts.formats import Annotation


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's alpha: 1 is full agreement, 0 is chance, below is contradiction.

    `alpha` is None where it has no meaning: nothing was labelled twice, or all labels are equal.
    """

    alpha: float | None
    units: int
    ratings: int


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> Agreement:
    """Alpha for labels without an order, over items with two labels or more.

    Observed disagreement counts ordered pairs within an item, each item's pairs weighted by
    1 / (its labels - 1); expected disagreement counts pairs over all labels. Source: K.
    Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section on nominal data.
    """
    totals: Counter[Hashable] = Counter()
    disagreeing = 0.0
    paired = 0
    for labels in units:
        count = len(labels)
        if count < 2:
            continue
        values = Counter(labels)
        totals.update(values)
        paired += 1
        disagreeing += (count**2 - sum(n * n for n in values.values())) / (count - 1)
    ratings = totals.total()
    expected = ratings**2 - sum(n * n for n in totals.values())
    alpha = 1 - (ratings - 1) * disagreeing / expected if expected else None
    return Agreement(alpha=alpha, units=paired, ratings=ratings)


def last_labels(annotations: Iterable[Annotation]) -> list[Annotation]:
    """The annotations, of each annotator the last one; those without a name all count."""
    found: dict[str | int, Annotation] = {}
    for place, annotation in enumerate(annotations):
        found[annotation.annotator_id or place] = annotation
    return list(found.values())


def majority_label(labels: Sequence[str]) -> str | None:
    """The label that more annotators gave than any other one; None at a tie."""
    ranked = Counter(labels).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]
