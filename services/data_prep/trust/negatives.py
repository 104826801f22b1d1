"""Which answers that were rated wrong are believed, where nobody said the right one.

One such rating says little, and a few attackers could say it of every right answer. The caps of
a window hold for them; where several rate, nothing counts of one rater who alone calls an answer
wrong again and again, and of the others some such ratings; and what is known decides: where it says
that the answer was right, the rating is quarantined.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import Final

from archon_contracts.formats import QuarantinedItem
from archon_contracts.values import TrustPolicy
from services.data_prep.domain import Item, PreparationPolicy, QuarantineReason
from services.data_prep.text import to_text
from services.data_prep.trust.neighbour_consistency import Consistency, ConsistencyChecker
from services.data_prep.trust.raters import (
    Rater,
    RaterGroups,
    is_feedback,
    is_limited,
    is_provided,
    rater_of,
)
from services.data_prep.trust.rules import TrustResult, TrustWindow, seeded_sort_key

DENIED: Final = "not "
"""Before a label: the target under which the rules of a window see a rating."""
DENIALS_OF_AN_ANSWER: Final = 3
"""That count of one independent rater in a window which others rate in too."""
MINIMUM_RATERS: Final = 2
"""Independent raters of whom each says that an answer was wrong somewhere, where one says it more
than once; one alone, with three such ratings, took a tenth of an intent's requests away."""
ALONE: Final = "no other rater of this window says that this answer was ever wrong"
INSISTENT: Final = (
    f"its rater says of more than {DENIALS_OF_AN_ANSWER} requests of this window that this answer "
    "was wrong"
)


def apply_trust_to_negatives(
    negatives: Sequence[Item],
    accepted: Sequence[Item],
    memory: Sequence[Item],
    trust: TrustPolicy,
    policy: PreparationPolicy,
    seed: int,
) -> TrustResult:
    """Decide which ratings count; `accepted` are the window's items with an answer."""
    answered = {item.key for item in accepted}
    # Somebody said what is right: the rating adds nothing, or is wrong.
    left = [item for item in negatives if item.key not in answered]
    if not trust.enabled or not left:
        return TrustResult(left, ())
    ordered = sorted(left, key=lambda item: seeded_sort_key(item, seed))
    denied = [item.model_copy(update={"target": _denied_target(item)}) for item in ordered]
    window = TrustWindow(denied, memory, trust, policy, seed)
    window.quarantine_repeated()
    window.cap_sources()
    window.cap_raters()
    quarantined = dict(window.quarantined)
    for place, (reason, explanation) in _find_doubted(denied, window.remaining(), accepted).items():
        quarantined[place] = QuarantinedItem(
            id=denied[place].id, reason=reason, explanation=explanation
        )
    checker = _build_checker(denied, accepted, memory, trust, seed)
    for place in window.remaining():
        if place in quarantined:
            continue
        opinion = checker.check(denied[place])
        known = opinion.consistency is Consistency.CONTRADICTED
        if known and opinion.other_target in ordered[place].rejected:
            quarantined[place] = QuarantinedItem(
                id=ordered[place].id,
                reason=QuarantineReason.CONTRADICTED,
                explanation="what is known near it says that the answer was right",
            )
    kept = [item for place, item in enumerate(ordered) if place not in quarantined]
    kept.sort(key=lambda item: (item.key, item.id))
    explained = sorted(quarantined.values(), key=lambda one: (one.id, one.reason))
    return TrustResult(kept, tuple(explained))


def cap_rewarded(
    rewarded: Sequence[Item],
    quarantined: Collection[str],
    memory: Sequence[Item],
    trust: TrustPolicy,
    policy: PreparationPolicy,
    seed: int,
) -> list[Item]:
    """The rewarded answers that count: none of feedback that is `quarantined`, and of no rater or
    source more than its part of a window. What says nothing good or bad is capped here alone.
    """
    left = [item for item in rewarded if item.id not in quarantined]
    if not trust.enabled or not left:
        return left
    ordered = sorted(left, key=lambda item: seeded_sort_key(item, seed))
    labelled = [item.model_copy(update={"target": item.target or item.actual}) for item in ordered]
    window = TrustWindow(labelled, memory, trust, policy, seed)
    window.cap_sources()
    window.cap_raters()
    return sorted((ordered[n] for n in window.remaining()), key=lambda item: (item.key, item.id))


def _find_doubted(
    denied: Sequence[Item], places: Sequence[int], accepted: Sequence[Item]
) -> dict[int, tuple[QuarantineReason, str]]:
    """Several ratings of an answer that one rater alone calls wrong, and those beyond what one
    rater may say of an answer; none where nobody else rates in the window.

    Who corrects an answer calls it wrong too. One such rating of a rater counts, as most honest
    ones are.
    """
    groups = RaterGroups([*denied, *accepted])

    def rater_group(item: Item) -> Rater:
        return groups.rater_group_of(rater_of(item))

    if len({rater_group(item) for item in (*denied, *accepted) if is_feedback(item)}) < 2:
        return {}
    # A crowd without names may be many people, and an expert's word is enough.
    limited = [
        p for p in places if is_limited(denied[p]) and not groups.is_crowd(rater_of(denied[p]))
    ]
    supporters: defaultdict[str, set[Rater]] = defaultdict(set)
    for place in places:
        supporters[denied[place].target].add(rater_group(denied[place]))
    for item in accepted:
        if is_feedback(item) and (actual := to_text(item.actual)) not in ("", item.target):
            supporters[DENIED + actual].add(rater_group(item))
    denials = Counter((rater_group(denied[place]), denied[place].target) for place in limited)
    counts, found = Counter[tuple[Rater, str]](), dict[int, tuple[QuarantineReason, str]]()
    for place in limited:
        item = denied[place]
        denial = rater_group(item), item.target
        counts[denial] += 1
        if denials[denial] > 1 and len(supporters[item.target]) < MINIMUM_RATERS:
            found[place] = (QuarantineReason.CONTESTED, ALONE)
        elif counts[denial] > DENIALS_OF_AN_ANSWER:
            found[place] = (QuarantineReason.REPEATED, INSISTENT)
    return found


def _denied_target(item: Item) -> str:
    # A failure to answer denies none.
    return DENIED + (item.rejected[0] if item.rejected else "")


def _build_checker(
    denied: Sequence[Item],
    accepted: Sequence[Item],
    memory: Sequence[Item],
    trust: TrustPolicy,
    seed: int,
) -> ConsistencyChecker:
    """What is known near an input: as for a window, a named rater's word is no fact."""
    spoken = [item for item in memory if is_feedback(item) and item.unit]
    facts = [item for item in memory if not (is_feedback(item) and item.unit)]
    facts += [item for item in accepted if is_provided(item)]
    spoken += [item for item in accepted if not is_provided(item)]
    checker = ConsistencyChecker(
        facts,
        spoken,
        RaterGroups([*denied, *accepted, *memory]),
        independent_raters=trust.independent_raters,
        seed=seed,
    )
    checker.calibrate(list(accepted))
    return checker
