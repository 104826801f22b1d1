"""How far feedback is trusted: caps, agreement, and a quarantine for who contradicts what is known.

Decides for one window at a time. What is quarantined is listed with its reason; the rest goes on,
with less weight where others contradict it. Only feedback is checked: experts, annotators, datasets
and what the agent learned before are trusted. Items that name no unit cannot be distinguished,
so together they are one rater, and neither capped by unit nor quarantined. A rater is a unit or an
annotator, never an item: ids cost nothing.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from archon_contracts.commands import SourceKind
from archon_contracts.events import FeedbackSource
from archon_contracts.formats import QuarantinedItem
from archon_contracts.values import TrustPolicy
from services.data_prep.dedup.near_duplicates import cluster_near_duplicates
from services.data_prep.domain import Item, PreparationPolicy, QuarantineReason
from services.data_prep.seeded_hash import seeded_hash
from services.data_prep.trust.neighbour_consistency import Consistency, check_consistency

K = TypeVar("K")
Rater = tuple[str, str]
"""A kind of rater and its name: an annotator is not the unit that bears the same name."""

FAIR_SHARE_MULTIPLE: Final = 2.0
"""A unit may give this many times the mean of all raters, where units are few."""

MAJORITY_RATIO: Final = 2
"""So many times as many raters_by_target outvote an answer to the very same input."""

SIGNIFICANCE_LEVEL: Final = 0.001
"""Probability below which a unit's contradicted feedback items are not believed to be chance."""

MINIMUM_EXPECTED_RATE: Final = 0.1
BASELINE_MULTIPLE: Final = 2.0
"""Honest units differ: each may be contradicted so many times as often as is usual."""

MINIMUM_UNITS: Final = 5

TRUSTED_SOURCES: Final = frozenset({SourceKind.HUMAN, SourceKind.EXTERNAL})


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
) -> TrustResult:
    """Decide what each piece of feedback counts. The same for the same items in any order."""
    if not trust.enabled:
        return TrustResult(list(items), ())
    # A seeded order: which of a unit's items count must not depend on when it sent them.
    places = sorted(range(len(items)), key=lambda place: _seeded_sort_key(items[place], seed))
    window = TrustWindow([items[place] for place in places], memory, trust, policy, seed)
    # The order matters: copies must not vote, and caps count only what is left.
    window.quarantine_repeated()
    window.quarantine_outvoted()
    window.quarantine_outliers()
    window.cap_sources()
    window.cap_units()
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
        """Of one unit's near-same inputs some count: saying it again makes nothing truer."""
        named = self._with_unit()
        most = self._trust.near_duplicates
        explanation = f"its unit sent more than {most} near-same inputs"
        root_of = self._clusters(named)
        groups = _group_by(named, lambda place: (self._items[place].unit, root_of[place]))
        for group in groups.values():
            self._quarantine(group[most:], QuarantineReason.REPEATED, explanation)

    def quarantine_outvoted(self) -> None:
        """Units that answer one input differently: a clear majority is believed."""
        for group in _group_by(self.remaining(), lambda place: self._items[place].key).values():
            raters_by_target: defaultdict[str, set[Rater]] = defaultdict(set)
            for place in group:
                raters_by_target[self._items[place].target] |= self._raters(place)
            most = max(len(raters) for raters in raters_by_target.values())
            for target, raters in raters_by_target.items():
                if most >= max(self._trust.independent_raters, MAJORITY_RATIO * len(raters)):
                    explanation = (
                        f"{most} others give this very input another answer, {len(raters)} this one"
                    )
                    losing = [p for p in group if self._items[p].target == target]
                    self._quarantine(
                        # An expert's answer stays, however many others contradict it.
                        [p for p in losing if self._is_subject_to_limits(p)],
                        QuarantineReason.OUTVOTED,
                        explanation,
                    )

    def quarantine_outliers(self) -> None:
        """Hold units, or what they say of one target, that contradict what is known; weigh down
        single contradicted feedback items of the others."""
        named = self._with_unit()
        if not named:
            return
        trusted = [*self._trusted(), *self._memory]
        window = [
            p for p in self.remaining() if self._is_feedback(p) and self._is_subject_to_limits(p)
        ]
        found = check_consistency(
            trusted,
            [self._items[place] for place in window],
            independent_raters=self._trust.independent_raters,
            seed=self._seed,
        )
        opinions = dict(zip(window, found.feedback, strict=True))
        if self._trust.quarantine_outliers:
            self._quarantine_outlying(opinions, Counter(found.trusted))
        contradicted = [
            p
            for p in named
            if opinions[p] is Consistency.CONTRADICTED and p not in self.quarantined
        ]
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
        feedback = [place for place in self.remaining() if self._is_feedback(place)]
        by_source = _group_by(feedback, lambda place: self._items[place].feedback_source)
        for source, share in shares.items():
            submitted = by_source.get(source, [])
            # A window of one source alone has nobody whom it could crowd out.
            if len(submitted) < len(feedback):
                limit = max(self._trust.unit_floor, math.floor(share * len(feedback)))
                explanation = f"{source} feedback is more than {share:.0%} of the window"
                self._quarantine(submitted[limit:], QuarantineReason.SOURCE_SHARE, explanation)

    def cap_units(self) -> None:
        """No unit gives more than its limit."""
        feedback = [place for place in self.remaining() if self._is_feedback(place)]
        by_unit = _group_by(self._with_unit(), lambda place: self._items[place].unit)
        counts = [len(submitted) for submitted in by_unit.values()]
        limit = compute_unit_limit(counts, len(feedback) - sum(counts), self._trust)
        explanation = (
            f"its unit gave more than the {limit} feedback items that one may give this window"
        )
        for submitted in by_unit.values():
            self._quarantine(submitted[limit:], QuarantineReason.UNIT_SHARE, explanation)

    def _quarantine_outlying(
        self, opinions: Mapping[int, Consistency], known: Counter[Consistency]
    ) -> None:
        by_unit = _group_by(self._with_unit(), lambda place: self._items[place].unit)
        opinions_by_unit = {
            unit: Counter(opinions[p] for p in submitted) for unit, submitted in by_unit.items()
        }
        for unit, submitted in by_unit.items():
            # Without the unit itself: a large attacker would raise the rate that it is compared
            # with.
            baseline = baseline_contradiction_rate(
                known, [own for name, own in opinions_by_unit.items() if name != unit]
            )
            if is_outlier(opinions_by_unit[unit], baseline):
                self._quarantine(
                    submitted,
                    QuarantineReason.OUTLIER,
                    _explain(opinions_by_unit[unit], baseline, "its unit"),
                )
                continue
            # A unit may answer most inputs well and one target wrong on purpose.
            for target, part in _group_by(submitted, lambda p: self._items[p].target).items():
                own = Counter(opinions[place] for place in part)
                if is_outlier(own, baseline):
                    explanation = _explain(own, baseline, f"what its unit says of {target!r}")
                    self._quarantine(part, QuarantineReason.OUTLIER, explanation)

    def _quarantine(
        self, places: Iterable[int], reason: QuarantineReason, explanation: str
    ) -> None:
        for place in places:
            self.quarantined[place] = QuarantinedItem(
                id=self._items[place].id, reason=reason, explanation=explanation
            )

    def _with_unit(self) -> list[int]:
        """Feedback of each unit that is not quarantined; a unit's in a seeded random order."""
        return [
            place
            for place in self.remaining()
            if self._is_subject_to_limits(place) and self._items[place].unit
        ]

    def _trusted(self) -> list[Item]:
        """Trusted items; near-same ones of one rater with one answer are one."""
        places = [place for place in self.remaining() if self._is_trusted(place)]
        root_of = self._clusters(places)
        first: dict[tuple[frozenset[Rater], int, str], Item] = {}
        for place in places:
            signature = self._raters(place), root_of[place], self._items[place].target
            first.setdefault(signature, self._items[place])
        return list(first.values())

    def _clusters(self, places: Sequence[int]) -> dict[int, int]:
        """Of each place the cluster of near-same inputs that it is in."""
        roots = cluster_near_duplicates(
            [self._items[place].key for place in places],
            self._policy.near_duplicate_threshold,
            self._policy.exact_comparison_limit,
        )
        return dict(zip(places, roots, strict=True))

    def _raters(self, place: int) -> frozenset[Rater]:
        item = self._items[place]
        if self._is_feedback(place):
            return frozenset({("unit", item.unit)})
        named = frozenset(("annotator", name) for name in item.annotators)
        return named or frozenset({("source", item.source)})

    def _is_feedback(self, place: int) -> bool:
        return self._items[place].source == SourceKind.FEEDBACK

    def _is_trusted(self, place: int) -> bool:
        return self._items[place].source in TRUSTED_SOURCES or self._is_expert(place)

    def _is_expert(self, place: int) -> bool:
        return (
            self._is_feedback(place) and self._items[place].feedback_source == FeedbackSource.EXPERT
        )

    def _is_subject_to_limits(self, place: int) -> bool:
        """Whether caps and quarantine are for it."""
        return self._is_feedback(place) and not self._is_expert(place)


def compute_unit_limit(counts: Sequence[int], others: int, trust: TrustPolicy) -> int:
    """The most that a unit may give: its proportion of what then counts, or the floor.

    The greatest limit that keeps to the share after it is applied: a flood does not raise it.
    """
    if not counts:
        return 0
    share = max(trust.unit_proportion, FAIR_SHARE_MULTIPLE / (len(counts) + others))
    limit = max(counts)
    while True:
        total = others + sum(min(count, limit) for count in counts)
        fair = max(trust.unit_floor, math.floor(share * total))
        if fair >= limit:
            return limit
        limit = fair


def baseline_contradiction_rate(
    known: Counter[Consistency], others: Sequence[Counter[Consistency]]
) -> float:
    """How often what is right is contradicted: trusted items, or the median unit where that is
    more and there are enough. A median, because some of the others may be in league."""
    rates = [rate for own in others if (rate := _contradiction_rate(own)) is not None]
    median = statistics.median(rates) if len(rates) >= MINIMUM_UNITS else 0.0
    return max(_contradiction_rate(known) or 0.0, median)


def is_outlier(opinions: Mapping[Consistency, int], baseline: float) -> bool:
    """Whether feedback items are contradicted significantly more often than not.

    Chance is the binomial tail at twice the baseline rate, and at one in ten at least:
    three feedback items prove nothing, and where neighbours are bad predictors nobody is an
    outlier.
    """
    contradicted = opinions.get(Consistency.CONTRADICTED, 0)
    known = contradicted + opinions.get(Consistency.AGREES, 0)
    if contradicted * 2 <= known:
        return False
    expected = min(1.0, max(MINIMUM_EXPECTED_RATE, BASELINE_MULTIPLE * baseline))
    return binomial_tail(contradicted, known, expected) < SIGNIFICANCE_LEVEL


def binomial_tail(hits: int, trials: int, probability: float) -> float:
    """Probability of at least `hits` in `trials`, each independent with this probability."""
    # Imported by children only, and only for windows with named units: it takes 30 MB.
    from scipy.stats import binom

    return float(binom.sf(hits - 1, trials, probability))


def _contradiction_rate(opinions: Counter[Consistency]) -> float | None:
    known = opinions[Consistency.CONTRADICTED] + opinions[Consistency.AGREES]
    return opinions[Consistency.CONTRADICTED] / known if known else None


def _explain(opinions: Counter[Consistency], baseline: float, whose: str) -> str:
    contradicted = opinions[Consistency.CONTRADICTED]
    known = contradicted + opinions[Consistency.AGREES]
    return (
        f"{whose} contradicts what is known of near-same inputs in {contradicted} of {known} "
        f"cases; usual is {baseline:.0%}"
    )


def _group_by(places: Iterable[int], name: Callable[[int], K]) -> dict[K, list[int]]:
    groups: defaultdict[K, list[int]] = defaultdict(list)
    for place in places:
        groups[name(place)].append(place)
    return groups


def _seeded_sort_key(item: Item, seed: int) -> tuple[int, str, str, str, str]:
    hashed = seeded_hash(seed, "trust", item.id, item.key, item.target)
    return hashed, item.id, item.key, item.target, item.unit
