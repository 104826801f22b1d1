"""How far feedback is trusted: caps, agreement, and a quarantine for who contradicts what is known.

Decides for one window at a time. What is quarantined is listed with its reason; the rest goes on,
with less weight where others contradict it. Only feedback is checked: experts, annotators, datasets
and what the agent learned before are trusted. A rater is a unit, an annotator, or the submitting
key of feedback that names no unit, never an item: ids cost nothing (`raters.py`).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from archon_contracts.events import FeedbackSource
from archon_contracts.formats import QuarantinedItem
from archon_contracts.values import TrustPolicy
from services.data_prep.dedup.near_duplicates import cluster_near_duplicates
from services.data_prep.domain import Item, PreparationPolicy, QuarantineReason
from services.data_prep.seeded_hash import seeded_hash
from services.data_prep.trust.contested import (
    accept_majority,
    find_contested,
    find_unsupported,
)
from services.data_prep.trust.limits import compute_unit_limit
from services.data_prep.trust.markers import find_marked
from services.data_prep.trust.neighbour_consistency import (
    Consistency,
    ConsistencyChecker,
    Opinion,
)
from services.data_prep.trust.outliers import (
    baseline_contradiction_rate,
    explain_outlier,
    is_outlier,
)
from services.data_prep.trust.raters import (
    Rater,
    RaterGroups,
    is_feedback,
    is_limited,
    is_provided,
    rater_of,
)
from services.data_prep.trust.updates import find_sharing_a_word, find_unfamiliar

K = TypeVar("K")

MAJORITY_RATIO: Final = 2
"""So many times as many raters outvote an answer to the very same input."""


@dataclass(frozen=True, slots=True)
class TrustResult:
    """What counts, each with its weight, in the order submitted; and what is quarantined."""

    items: list[Item]
    quarantined: tuple[QuarantinedItem, ...]


def apply_trust(
    items: Sequence[Item],
    memory: Sequence[Item],
    trust: TrustPolicy,
    policy: PreparationPolicy,
    seed: int,
    *,
    is_update: bool = False,
) -> TrustResult:
    """Decide what each piece of feedback counts. The same for the same items in any order."""
    if not trust.enabled:
        return TrustResult(list(items), ())
    # A seeded order: which of a rater's items count must not depend on when it sent them.
    places = sorted(range(len(items)), key=lambda place: seeded_sort_key(items[place], seed))
    window = TrustWindow([items[place] for place in places], memory, trust, policy, seed)
    # The order matters: copies must not vote, and caps count only what is left. They come before
    # disputes, so that one rater disputes few answers, and after, as less is left then.
    window.quarantine_repeated()
    window.quarantine_outvoted()
    window.quarantine_contradicting(is_update=is_update)
    window.cap_sources()
    window.cap_raters()
    window.quarantine_disputed()
    window.cap_raters()
    kept = sorted((places[n], window.reweight(n)) for n in window.remaining())
    quarantined = sorted(window.quarantined.values(), key=lambda one: (one.id, one.reason))
    return TrustResult([item for _, item in kept], tuple(quarantined))


class TrustWindow:
    """The items of one window in a seeded random order, and what was decided of each so far."""

    def __init__(
        self,
        items: Sequence[Item],
        memory: Sequence[Item],
        trust: TrustPolicy,
        policy: PreparationPolicy,
        seed: int,
    ) -> None:
        self._items = items
        self._memory = memory
        self._trust = trust
        self._policy = policy
        self._seed = seed
        self._rater_groups = RaterGroups([*items, *memory])
        self.quarantined: dict[int, QuarantinedItem] = {}
        self._weight_factors: dict[int, float] = {}

    def remaining(self) -> list[int]:
        """What is not quarantined."""
        return [place for place in range(len(self._items)) if place not in self.quarantined]

    def reweight(self, place: int) -> Item:
        """An item with the weight that it has now."""
        item, factor = self._items[place], self._weight_factors.get(place, 1.0)
        if factor == 1.0:
            return item
        return item.model_copy(
            update={"weight": item.weight * factor, "trust": item.trust * factor}
        )

    def quarantine_repeated(self) -> None:
        """Of one rater's near-same inputs some count: saying it again makes nothing truer."""
        limited = self._limited()
        most = self._trust.near_duplicates
        explanation = f"its rater sent more than {most} near-same inputs"
        root_of = self._clusters(limited)
        groups = _group_by(limited, lambda place: (self._rater(place), root_of[place]))
        for group in groups.values():
            self._quarantine(group[most:], QuarantineReason.REPEATED, explanation)

    def quarantine_outvoted(self) -> None:
        """Raters that answer one input differently: a clear majority is believed."""
        for group in _group_by(self.remaining(), lambda place: self._items[place].key).values():
            rater_groups_by_target: defaultdict[str, set[Rater]] = defaultdict(set)
            for place in group:
                item = self._items[place]
                rater_groups_by_target[item.target] |= self._rater_groups.rater_groups_of(item)
            most = max(len(rater_groups) for rater_groups in rater_groups_by_target.values())
            for target, rater_groups in rater_groups_by_target.items():
                if most >= max(self._trust.independent_raters, MAJORITY_RATIO * len(rater_groups)):
                    explanation = (
                        f"{most} others give this very input another answer, "
                        f"{len(rater_groups)} this one"
                    )
                    losing = [p for p in group if self._items[p].target == target]
                    self._quarantine(
                        # An expert's answer stays, however many others contradict it.
                        [p for p in losing if is_limited(self._items[p])],
                        QuarantineReason.OUTVOTED,
                        explanation,
                    )

    def quarantine_contradicting(self, *, is_update: bool = False) -> None:
        """Quarantine what rests on a mark, and raters, or what they say of one target, that
        contradict what is known; weigh down single contradicted feedback items of the others."""
        window = self._limited()
        if not window:
            return
        # What a named rater taught earlier is that rater's word and not a fact: else a few lies
        # that passed would vouch for the next ones.
        remembered = [i for i in self._memory if is_feedback(i) and i.unit]
        known = [i for i in self._memory if not (is_feedback(i) and i.unit)]
        trusted = [*self._provided(), *known]
        checker = ConsistencyChecker(
            trusted,
            [*(self._items[place] for place in window), *remembered],
            self._rater_groups,
            independent_raters=self._trust.independent_raters,
            seed=self._seed,
        )
        checker.calibrate([self._items[place] for place in window])
        opinions = {place: self._form_opinion(place, checker) for place in window}
        accept_majority(self._items, opinions, self._rater_groups)
        if self._trust.quarantine_outliers:
            known_items = Counter(checker.trusted)
            self._quarantine_outlying(opinions, known_items)
            self._quarantine_contested(opinions, checker, known_items)
            self._quarantine_marked([*trusted, *remembered], checker)
        contradicted = [
            p
            for p, opinion in opinions.items()
            if opinion.consistency is Consistency.CONTRADICTED and p not in self.quarantined
        ]
        if is_update:
            left = {p: o for p, o in opinions.items() if p not in self.quarantined}
            contradicted += find_unfamiliar(self._items, left, checker.known_targets)
            doubted = {*contradicted, *self.quarantined}
            contradicted += find_sharing_a_word(
                self._items, left.keys() - doubted, doubted, trusted
            )
        # An item of no weight would still take part in counts and splits.
        if self._trust.contradicted_weight == 0:
            self._quarantine(contradicted, QuarantineReason.CONTRADICTED, "others contradict it")
        self._weight_factors |= dict.fromkeys(contradicted, self._trust.contradicted_weight)

    def cap_sources(self) -> None:
        """No source gives more than its limit of a window that others are in too."""
        shares = {
            FeedbackSource.USER: self._trust.user_proportion,
            FeedbackSource.GUARDRAIL: self._trust.guardrail_proportion,
            FeedbackSource.ENVIRONMENT: self._trust.environment_proportion,
        }
        feedback = self._feedback()
        by_source = _group_by(feedback, lambda place: self._items[place].feedback_source)
        for source, share in shares.items():
            submitted = by_source.get(source, [])
            # A window of one source alone has nobody whom it could crowd out.
            if len(submitted) < len(feedback):
                limit = max(self._trust.unit_floor, math.floor(share * len(feedback)))
                explanation = f"{source} feedback is more than {share:.0%} of the window"
                self._quarantine(submitted[limit:], QuarantineReason.SOURCE_SHARE, explanation)

    def cap_raters(self) -> None:
        """No rater gives more than its limit; nor, where there are several, does a key."""
        self._cap(self._rater, "its rater")
        self._cap(lambda place: self._items[place].submitted_by, "its key")

    def quarantine_disputed(self) -> None:
        """Unlike answers of equal trust to one input: neither wins, whoever spoke last.

        Of one rater's own answers the one received last counts. What is provided stays.
        """
        for group in _group_by(self.remaining(), lambda place: self._items[place].key).values():
            latest: dict[tuple[Rater, str] | int, int] = {}
            for place in group:
                item = self._items[place]
                own: tuple[Rater, str] | int = (
                    (self._rater(place), item.submitted_by) if is_limited(item) else place
                )
                if own not in latest or item.known_at > self._items[latest[own]].known_at:
                    latest[own] = place
            most = max(self.reweight(place).trust for place in latest.values())
            best = [place for place in latest.values() if self.reweight(place).trust >= most]
            if len({self._items[place].target for place in best}) > 1:
                self._quarantine(
                    [p for p in group if is_limited(self._items[p])],
                    QuarantineReason.DISPUTED,
                    "others who are trusted as much give this very input another answer",
                )

    def _cap(self, name: Callable[[int], Rater | str], whose: str) -> None:
        feedback = self._feedback()
        # Guardrails name no units and are limited as a source.
        limited = [
            p
            for p in feedback
            if is_limited(self._items[p])
            and (self._items[p].unit or self._items[p].feedback_source != FeedbackSource.GUARDRAIL)
        ]
        by_rater = _group_by(limited, name)
        counts = [len(submitted) for submitted in by_rater.values()]
        limit = compute_unit_limit(counts, len(feedback) - sum(counts), self._trust)
        explanation = (
            f"{whose} gave more than the {limit} feedback items that one may give this window"
        )
        for submitted in by_rater.values():
            self._quarantine(submitted[limit:], QuarantineReason.UNIT_SHARE, explanation)

    def _quarantine_marked(self, known: Sequence[Item], checker: ConsistencyChecker) -> None:
        # After the outliers: words of what an outlier lies about are no marks of others.
        window = self._limited()
        marked = find_marked([self._items[p] for p in window], known, checker, self._rater_groups)
        for number, mark in marked.items():
            self._quarantine(
                [window[number]],
                QuarantineReason.MARKED,
                f"{mark!r} always comes with this answer, which others contradict without it",
            )

    def _form_opinion(self, place: int, checker: ConsistencyChecker) -> Opinion:
        item = self._items[place]
        is_new = item.target not in checker.known_targets
        if is_new and self._rater_groups.is_crowd(self._rater(place)):
            # Nobody can agree with a crowd, so a new answer would always stand against old ones.
            return Opinion(Consistency.UNKNOWN)
        return checker.check(item)

    def _quarantine_contested(
        self,
        opinions: Mapping[int, Opinion],
        checker: ConsistencyChecker,
        known: Counter[Consistency],
    ) -> None:
        found = find_contested(
            self._items,
            opinions,
            self._rater_groups,
            self._trust,
            baseline=baseline_contradiction_rate(known, ()),
            known_targets=checker.known_targets,
        )
        alone = "others contradict it, or what else its rater says of this answer"
        unsupported = find_unsupported(self._items, opinions, checker.known_targets)
        for place, explanation in (dict.fromkeys(unsupported, alone) | found).items():
            if place not in self.quarantined:
                self._quarantine([place], QuarantineReason.CONTESTED, explanation)

    def _quarantine_outlying(
        self, opinions: Mapping[int, Opinion], known: Counter[Consistency]
    ) -> None:
        self._quarantine_outlying_of(self._rater, "its rater", opinions, known)
        # A key's units are one independent rater, and may be one person.
        self._quarantine_outlying_of(self._rater_group, "its key", opinions, known)

    def _quarantine_outlying_of(
        self,
        name: Callable[[int], Rater],
        whose: str,
        opinions: Mapping[int, Opinion],
        known: Counter[Consistency],
    ) -> None:
        by_rater = _group_by((p for p in opinions if p not in self.quarantined), name)
        opinions_by_rater = {
            rater: Counter(opinions[p].consistency for p in submitted)
            for rater, submitted in by_rater.items()
        }
        for rater, submitted in by_rater.items():
            # The lies of one must not condemn what all others behind the same key say; what they
            # contest is still quarantined.
            if self._rater_groups.is_crowd(rater):
                continue
            # Without the rater itself: a large attacker would raise the rate that it is compared
            # with.
            baseline = baseline_contradiction_rate(
                known, [own for other, own in opinions_by_rater.items() if other != rater]
            )
            if is_outlier(opinions_by_rater[rater], baseline):
                self._quarantine(
                    submitted,
                    QuarantineReason.OUTLIER,
                    explain_outlier(opinions_by_rater[rater], baseline, whose),
                )
                continue
            # A rater may answer most inputs well and one target wrong on purpose.
            for target, part in _group_by(submitted, lambda p: self._items[p].target).items():
                own = Counter(opinions[place].consistency for place in part)
                if is_outlier(own, baseline):
                    explanation = explain_outlier(own, baseline, f"what {whose} says of {target!r}")
                    self._quarantine(part, QuarantineReason.OUTLIER, explanation)

    def _quarantine(
        self, places: Iterable[int], reason: QuarantineReason, explanation: str
    ) -> None:
        for place in places:
            self.quarantined[place] = QuarantinedItem(
                id=self._items[place].id, reason=reason, explanation=explanation
            )

    def _feedback(self) -> list[int]:
        return [place for place in self.remaining() if is_feedback(self._items[place])]

    def _limited(self) -> list[int]:
        """Feedback that caps and quarantine are for and that is not quarantined yet."""
        return [place for place in self.remaining() if is_limited(self._items[place])]

    def _provided(self) -> list[Item]:
        """Trusted items; near-same ones of one rater with one answer are one."""
        places = [place for place in self.remaining() if is_provided(self._items[place])]
        root_of = self._clusters(places)
        first: dict[tuple[frozenset[Rater], int, str], Item] = {}
        for place in places:
            item = self._items[place]
            signature = self._rater_groups.rater_groups_of(item), root_of[place], item.target
            first.setdefault(signature, item)
        return list(first.values())

    def _clusters(self, places: Sequence[int]) -> dict[int, int]:
        """Of each place the cluster of near-same inputs that it is in."""
        roots = cluster_near_duplicates(
            [self._items[place].key for place in places],
            self._policy.near_duplicate_threshold,
            self._policy.exact_comparison_limit,
        )
        return dict(zip(places, roots, strict=True))

    def _rater_group(self, place: int) -> Rater:
        return self._rater_groups.rater_group_of(self._rater(place))

    def _rater(self, place: int) -> Rater:
        return rater_of(self._items[place])


def _group_by(places: Iterable[int], name: Callable[[int], K]) -> dict[K, list[int]]:
    groups: defaultdict[K, list[int]] = defaultdict(list)
    for place in places:
        groups[name(place)].append(place)
    return groups


def seeded_sort_key(item: Item, seed: int) -> tuple[int, str, str, str, str, str]:
    """Where an item stands in a window: nobody can choose its words or its time to be first."""
    hashed = seeded_hash(seed, "trust", item.id, item.key, item.target)
    return hashed, item.id, item.key, item.target, item.unit, item.submitted_by
