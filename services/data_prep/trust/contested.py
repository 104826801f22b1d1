"""Answers that many give where another one is known: a change of mind, or a joint attack.

Each of several raters may give so few of them that none is an outlier. Items are named by their
positions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from archon_contracts.values import TrustPolicy
from services.data_prep.domain import Item
from services.data_prep.trust.neighbour_consistency import Consistency, Opinion
from services.data_prep.trust.outliers import is_significant
from services.data_prep.trust.raters import Rater, RaterGroups, rater_of

MINIMUM_MAJORITY: Final = 8
"""Independent raters that can change a known answer: in a window of three corrections any two are
most."""


def accept_majority(
    items: Sequence[Item], opinions: dict[int, Opinion], rater_groups: RaterGroups
) -> None:
    """Believe a change of answer that more than half of all independent raters give."""
    everybody = _rater_groups_of(items, opinions, rater_groups)
    for places in _changes(items, opinions).values():
        changed = _rater_groups_of(items, places, rater_groups)
        if len(changed) >= max(MINIMUM_MAJORITY, len(everybody) // 2 + 1):
            opinions.update(dict.fromkeys(places, Opinion(Consistency.AGREES)))


def find_contested(
    items: Sequence[Item],
    opinions: Mapping[int, Opinion],
    rater_groups: RaterGroups,
    trust: TrustPolicy,
    *,
    baseline: float,
    known_targets: frozenset[str],
) -> dict[int, str]:
    """Items of targets that significantly many contradicted items have, each with an explanation.

    Of a known target, only what trusted items agree with is left. `baseline` is the rate at which
    what is right is contradicted.
    """
    contested: dict[int, str] = {}
    for target, places in _changes(items, opinions).items():
        who = _rater_groups_of(items, places, rater_groups)
        # What one or two say is theirs, whom the rule for outliers is for; a crowd is of several.
        if len(who) < trust.independent_raters and not any(map(rater_groups.is_crowd, who)):
            continue
        is_known = target in known_targets
        answers = [place for place in opinions if items[place].target == target]
        evidence = [p for p in answers if _is_evidence(opinions[p], is_known)]
        if is_significant(len(places), len(evidence), baseline):
            explanation = (
                f"{len(places)} of {len(evidence)} items that give {target!r} contradict "
                "what is known of near-same inputs, and so does this one"
            )
            contested |= {p: explanation for p in answers if _is_doubtful(opinions[p], is_known)}
    return contested


def find_unsupported(
    items: Sequence[Item], opinions: Mapping[int, Opinion], known_targets: frozenset[str]
) -> list[int]:
    """Contradicted items of known targets; and of the same rater and target those that nothing near
    is known of, where none agrees with others.

    A single lie is small, and a few in each of many windows are not. Most inputs of who lies in
    small steps are near to something known; the others are no better.
    """
    groups: defaultdict[tuple[Rater, str], list[int]] = defaultdict(list)
    for place in opinions:
        if items[place].target in known_targets:
            groups[rater_of(items[place]), items[place].target].append(place)
    doubted: list[int] = []
    for places in groups.values():
        answers = {opinions[place].consistency for place in places}
        if Consistency.CONTRADICTED in answers:
            left = {Consistency.CONTRADICTED}
            if Consistency.AGREES not in answers:
                left.add(Consistency.UNKNOWN)
            doubted += [place for place in places if opinions[place].consistency in left]
    return doubted


def _changes(items: Sequence[Item], opinions: Mapping[int, Opinion]) -> dict[str, list[int]]:
    """Contradicted items by their target."""
    changes: defaultdict[str, list[int]] = defaultdict(list)
    for place, opinion in opinions.items():
        if opinion.consistency is Consistency.CONTRADICTED:
            changes[items[place].target].append(place)
    return changes


def _rater_groups_of(
    items: Sequence[Item], places: Iterable[int], rater_groups: RaterGroups
) -> set[Rater]:
    return {rater_groups.rater_group_of(rater_of(items[place])) for place in places}


def _is_evidence(opinion: Opinion, is_known_target: bool) -> bool:
    """Whether an opinion says anything of a contested answer.

    Raters who agree with each other where trusted items say otherwise are what is in question; of
    a new answer trusted items cannot but say otherwise.
    """
    if opinion.consistency is Consistency.AGREES:
        return not (is_known_target and opinion.other_target)
    return opinion.consistency is Consistency.CONTRADICTED


def _is_doubtful(opinion: Opinion, is_known_target: bool) -> bool:
    if opinion.other_target:
        return True
    return is_known_target and opinion.consistency is not Consistency.AGREES
