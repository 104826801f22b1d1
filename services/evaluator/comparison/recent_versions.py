"""Whether losses that were allowed one by one add up: the candidate beside recent versions. Pure.

Each version may lose up to the limit against the one before. Without a look further back, whoever
makes each window cost a little takes an agent down in steps that no gate refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import PredictionRow
from archon_contracts.values import ALL_ITEMS, REFERENCE_ITEMS, GatePolicy
from services.evaluator.comparison.paired_tests import compare, compare_hidden_groups
from services.evaluator.errors import Unscorable


def find_accumulated_losses(
    candidate: Sequence[PredictionRow],
    recent: Sequence[Sequence[PredictionRow]],
    policy: GatePolicy,
) -> tuple[str, ...]:
    """Why a person must decide: a group surely lost more than the limit since a recent version.

    Surely is with 95 % confidence, as many groups and versions are looked at. The best of the
    versions counts in each group; versions scored on other items are passed over.
    """
    worst: dict[str, tuple[float, float, int]] = {}
    for rows in recent:
        try:
            groups = {**compare(candidate, rows), **compare_hidden_groups(candidate, rows)}
        except Unscorable:
            continue
        for group, pair in groups.items():
            change = pair.difference
            if (
                group not in (ALL_ITEMS, REFERENCE_ITEMS)
                and -change.high > policy.maximum_forgetting
            ):
                worst[group] = max(
                    worst.get(group, (0.0, 0.0, 0)), (-change.value, -change.high, change.n)
                )
    return tuple(
        f"{group} lost {loss:.1%} of {n} items since a recent version (at least {least:.1%}), more "
        f"than the {policy.maximum_forgetting:.1%} allowed in one step"
        for group, (loss, least, n) in sorted(worst.items())
    )
