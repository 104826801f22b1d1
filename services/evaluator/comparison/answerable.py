"""Items that ask for an answer the agent does not have: counted and named, never scored. Pure.

Scored, such an item is wrong for ever: a suite that is wider than the agent hides its gains, and a
label taken from the profile would count as lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final

from archon_contracts.events import UnscoredTarget
from archon_contracts.formats import PredictionRow

MAX_TARGETS: Final = 20
MAX_IDS: Final = 20
MAX_NAMED: Final = 3


def drop_unanswerable(
    rows: Sequence[PredictionRow], answers: Collection[str] | None
) -> list[PredictionRow]:
    """The rows, without a score where the target is none of the answers; None: any text is one."""
    if answers is None:
        return list(rows)
    # A catalogue may have thousands of them, and every row is looked up.
    known, unscored = frozenset(answers), {"correct": None, "correct_at_k": None}
    return [
        row if not row.target or row.target in known else row.model_copy(update=unscored)
        for row in rows
    ]


def find_unanswerable(
    rows: Sequence[PredictionRow], answers: Collection[str] | None
) -> list[UnscoredTarget]:
    """The targets that are no answers, the most frequent first, with the ids of their items."""
    if answers is None:
        return []
    known, ids = frozenset(answers), defaultdict[str, list[str]](list)
    for row in rows:
        if row.target and row.target not in known:
            ids[row.target].append(row.id)
    ranked = sorted(ids, key=lambda target: (-len(ids[target]), target))
    return [
        UnscoredTarget(target=target, items=len(ids[target]), ids=tuple(ids[target][:MAX_IDS]))
        for target in ranked
    ]


def describe_unanswerable(found: Sequence[UnscoredTarget], n: int) -> str:
    """The sentence on them for the gate's reasons; empty: there are none."""
    if not found:
        return ""
    named = ", ".join(f"{each.target!r} ({each.items})" for each in found[:MAX_NAMED])
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return (
        f"{sum(each.items for each in found)} of {n} items are not scored, as they ask for what is "
        f"no answer of the agent: {named}{more}"
    )
