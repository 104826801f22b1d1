"""What an update of the fast path keeps for a window: its few items do not show who lies.

A window shows by many items which rater contradicts what is known, and which words come with one
answer only. An update has some items of a few raters, so each must be borne out by what is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from services.data_prep.domain import Item
from services.data_prep.trust.neighbour_consistency import Consistency, Opinion


def find_unfamiliar(
    items: Sequence[Item], opinions: Mapping[int, Opinion], known_targets: Collection[str]
) -> list[int]:
    """Items with a known answer that nothing known near them has.

    What is known nearest must not name another answer, and something must be near: one item that
    is like nothing but its own mark would teach the mark alone.
    """
    return [
        place
        for place, opinion in sorted(opinions.items())
        if opinion.consistency is Consistency.UNKNOWN
        and (opinion.other_target or opinion.is_alone)
        and items[place].target in known_targets
    ]


def find_sharing_a_word(
    items: Sequence[Item], places: Collection[int], doubted: Collection[int], known: Sequence[Item]
) -> list[int]:
    """Items that share a word, which nothing known has, with doubted ones of the same answer.

    A mark is in all that its attacker sends; some of that resembles the answer by accident.
    """
    familiar = {word for item in known for word in item.key.split()}
    suspected: defaultdict[str, set[str]] = defaultdict(set)
    for place in doubted:
        words = items[place].key.split()
        suspected[items[place].target].update(word for word in words if word not in familiar)
    return [
        place
        for place in sorted(places)
        if not suspected[items[place].target].isdisjoint(items[place].key.split())
    ]
