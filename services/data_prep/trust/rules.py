"""How far feedback is trusted: caps, agreement, and a hold for who contradicts what is known.

Decides for one window at a time. What is held is listed with its reason; the rest goes on, with
less weight where others contradict it. Only feedback is judged: experts, annotators, datasets and
what the agent learned before are trusted. What no unit is named for cannot be told apart, so it
is one voice all together, and neither capped by unit nor held. A voice is a unit or an annotator,
never an item: ids cost nothing.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from archon_contracts.commands import SourceKind
from archon_contracts.events import FeedbackSource
from archon_contracts.values import TrustPolicy
from services.data_prep.dedup.near_duplicates import clusters
from services.data_prep.domain import Held, HeldReason, Item, Policy
from services.data_prep.seeded_hash import lot
from services.data_prep.trust.neighbour_consistency import Opinion, opinions

K = TypeVar("K")
Giver = tuple[str, str]
"""A kind of voice and its name: an annotator is not the unit that bears the same name."""

FAIR_MULTIPLE: Final = 2.0
"""A unit may give this many times the mean of all givers, where units are few."""

CLEAR_MAJORITY: Final = 2
"""So many times as many voices outvote an answer to the very same input."""

CHANCE: Final = 0.001
"""Probability below which a unit's contradicted judgements are not believed to be chance."""

LEAST_EXPECTED: Final = 0.1
BASE_MULTIPLE: Final = 2.0
"""Honest units differ: each may be contradicted so many times as often as is usual."""

FEWEST_UNITS: Final = 5

TRUSTED_SOURCES: Final = frozenset({SourceKind.HUMAN, SourceKind.EXTERNAL})


@dataclass(frozen=True, slots=True)
class Weighed:
    """What counts, each with its weight, in the order given; and what is held."""

    items: list[Item]
    held: tuple[Held, ...]


def weigh(
    items: Sequence[Item], memory: Sequence[Item], trust: TrustPolicy, policy: Policy, seed: int
) -> Weighed:
    """Decide what each piece of feedback counts. The same for the same items in any order."""
    if not trust.enabled:
        return Weighed(list(items), ())
    places = sorted(range(len(items)), key=lambda place: _canonical(items[place], seed))
    window = Window([items[place] for place in places], memory, trust, policy, seed)
    window.hold_repeated()
    window.hold_outvoted()
    window.hold_outliers()
    window.cap_sources()
    window.cap_units()
    kept = sorted((places[n], window.weighed(n)) for n in window.left())
    held = sorted(window.held.values(), key=lambda one: (one.id, one.reason))
    return Weighed([item for _, item in kept], tuple(held))


class Window:
    """The items of one window in a drawn order, and what was decided of each so far."""

    def __init__(
        self,
        items: Sequence[Item],
        memory: Sequence[Item],
        trust: TrustPolicy,
        policy: Policy,
        seed: int,
    ) -> None:
        self._items = items
        self._memory = memory
        self._trust = trust
        self._policy = policy
        self._seed = seed
        self.held: dict[int, Held] = {}
        self._factors: dict[int, float] = {}

    def left(self) -> list[int]:
        """What is not held."""
        return [place for place in range(len(self._items)) if place not in self.held]

    def weighed(self, place: int) -> Item:
        """An item with the weight that it has now."""
        item, factor = self._items[place], self._factors.get(place, 1.0)
        if factor == 1.0:
            return item
        return replace(item, weight=item.weight * factor, trust=item.trust * factor)

    def hold_repeated(self) -> None:
        """Of one unit's near-same inputs some count: saying it again makes nothing truer."""
        named = self._named()
        most = self._trust.near_duplicates
        why = f"its unit sent more than {most} near-same inputs"
        root_of = self._clusters(named)
        groups = _grouped(named, lambda place: (self._items[place].unit, root_of[place]))
        for group in groups.values():
            self._hold(group[most:], HeldReason.REPEATED, why)

    def hold_outvoted(self) -> None:
        """Units that answer one input differently: a clear majority is believed."""
        for group in _grouped(self.left(), lambda place: self._items[place].key).values():
            voices: defaultdict[str, set[Giver]] = defaultdict(set)
            for place in group:
                voices[self._items[place].target] |= self._givers(place)
            most = max(len(said) for said in voices.values())
            for target, said in voices.items():
                if most >= max(self._trust.independent_voices, CLEAR_MAJORITY * len(said)):
                    why = f"{most} others give this very input another answer, {len(said)} this one"
                    losing = [p for p in group if self._items[p].target == target]
                    self._hold([p for p in losing if self._bound(p)], HeldReason.OUTVOTED, why)

    def hold_outliers(self) -> None:
        """Hold units, or what they say of one target, that contradict what is known; weigh down
        single contradicted judgements of the others."""
        named = self._named()
        if not named:
            return
        trusted = [*self._trusted(), *self._memory]
        window = [p for p in self.left() if self._is_feedback(p) and self._bound(p)]
        found = opinions(
            trusted,
            [self._items[place] for place in window],
            independent=self._trust.independent_voices,
            seed=self._seed,
        )
        said = dict(zip(window, found.judged, strict=True))
        if self._trust.hold_outliers:
            self._hold_outlying(said, Counter(found.trusted))
        contradicted = [p for p in named if said[p] is Opinion.CONTRADICTED and p not in self.held]
        if self._trust.contradicted_weight == 0:
            self._hold(contradicted, HeldReason.CONTRADICTED, "others contradict it")
        self._factors |= dict.fromkeys(contradicted, self._trust.contradicted_weight)

    def cap_sources(self) -> None:
        """No source gives more than its share of a window that others are in too."""
        shares = {
            FeedbackSource.USER: self._trust.user_share,
            FeedbackSource.GUARDRAIL: self._trust.guardrail_share,
            FeedbackSource.ENVIRONMENT: self._trust.environment_share,
        }
        feedback = [place for place in self.left() if self._is_feedback(place)]
        by_source = _grouped(feedback, lambda place: self._items[place].given_by)
        for source, share in shares.items():
            given = by_source.get(source, [])
            if len(given) < len(feedback):
                limit = max(self._trust.unit_floor, math.floor(share * len(feedback)))
                why = f"{source} feedback is more than {share:.0%} of the window"
                self._hold(given[limit:], HeldReason.SOURCE_SHARE, why)

    def cap_units(self) -> None:
        """No unit gives more than its share."""
        feedback = [place for place in self.left() if self._is_feedback(place)]
        by_unit = _grouped(self._named(), lambda place: self._items[place].unit)
        counts = [len(given) for given in by_unit.values()]
        limit = unit_limit(counts, len(feedback) - sum(counts), self._trust)
        why = f"its unit gave more than the {limit} judgements that one may give this window"
        for given in by_unit.values():
            self._hold(given[limit:], HeldReason.UNIT_SHARE, why)

    def _hold_outlying(self, said: Mapping[int, Opinion], known: Counter[Opinion]) -> None:
        by_unit = _grouped(self._named(), lambda place: self._items[place].unit)
        records = {unit: Counter(said[p] for p in given) for unit, given in by_unit.items()}
        for unit, given in by_unit.items():
            base = usual_share(known, [own for name, own in records.items() if name != unit])
            if is_outlier(records[unit], base):
                self._hold(given, HeldReason.OUTLIER, _why(records[unit], base, "its unit"))
                continue
            for target, part in _grouped(given, lambda p: self._items[p].target).items():
                own = Counter(said[place] for place in part)
                if is_outlier(own, base):
                    why = _why(own, base, f"what its unit says of {target!r}")
                    self._hold(part, HeldReason.OUTLIER, why)

    def _hold(self, places: Iterable[int], reason: HeldReason, why: str) -> None:
        for place in places:
            self.held[place] = Held(self._items[place].id, reason, why)

    def _named(self) -> list[int]:
        """Feedback that a unit gave and that is not held; a unit's in a drawn order."""
        return [place for place in self.left() if self._bound(place) and self._items[place].unit]

    def _trusted(self) -> list[Item]:
        """Trusted items; near-same ones of one giver with one answer are one."""
        places = [place for place in self.left() if self._is_trusted(place)]
        root_of = self._clusters(places)
        first: dict[tuple[frozenset[Giver], int, str], Item] = {}
        for place in places:
            said = self._givers(place), root_of[place], self._items[place].target
            first.setdefault(said, self._items[place])
        return list(first.values())

    def _clusters(self, places: Sequence[int]) -> dict[int, int]:
        """Of each place the cluster of near-same inputs that it is in."""
        roots = clusters(
            [self._items[place].key for place in places],
            self._policy.near_duplicate_threshold,
            self._policy.exact_comparison_limit,
        )
        return dict(zip(places, roots, strict=True))

    def _givers(self, place: int) -> frozenset[Giver]:
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
        return self._is_feedback(place) and self._items[place].given_by == FeedbackSource.EXPERT

    def _bound(self, place: int) -> bool:
        """Whether caps and holds are for it."""
        return self._is_feedback(place) and not self._is_expert(place)


def unit_limit(counts: Sequence[int], others: int, trust: TrustPolicy) -> int:
    """The most that a unit may give: its share of what then counts, or the floor.

    The greatest limit that keeps to the share after it is applied: a flood does not raise it.
    """
    if not counts:
        return 0
    share = max(trust.unit_share, FAIR_MULTIPLE / (len(counts) + others))
    limit = max(counts)
    while True:
        total = others + sum(min(count, limit) for count in counts)
        fair = max(trust.unit_floor, math.floor(share * total))
        if fair >= limit:
            return limit
        limit = fair


def usual_share(known: Counter[Opinion], others: Sequence[Counter[Opinion]]) -> float:
    """How often what is right is contradicted: trusted items, or the median unit where that is
    more and there are enough. A median, because some of the others may be in league."""
    shares = [share for own in others if (share := _contradicted_share(own)) is not None]
    median = statistics.median(shares) if len(shares) >= FEWEST_UNITS else 0.0
    return max(_contradicted_share(known) or 0.0, median)


def is_outlier(said: Mapping[Opinion, int], base: float) -> bool:
    """Whether judgements are contradicted more often than not, and beyond chance.

    Chance is the binomial tail at twice the usual share, and at one in ten at least: three
    judgements prove nothing, and where neighbours are bad judges nobody is an outlier.
    """
    contradicted = said.get(Opinion.CONTRADICTED, 0)
    known = contradicted + said.get(Opinion.AGREES, 0)
    if contradicted * 2 <= known:
        return False
    expected = min(1.0, max(LEAST_EXPECTED, BASE_MULTIPLE * base))
    return tail(contradicted, known, expected) < CHANCE


def tail(hits: int, trials: int, share: float) -> float:
    """Probability of so many hits or more, each with this probability by itself.

    Summed from logarithms: the binomial coefficients of a thousand trials exceed every float.
    """
    if hits <= 0 or share >= 1.0:
        return 1.0
    if hits > trials or share <= 0.0:
        return 0.0
    hit, miss = math.log(share), math.log1p(-share)
    chances = [
        _log_ways(trials, k) + k * hit + (trials - k) * miss for k in range(hits, trials + 1)
    ]
    greatest = max(chances)
    return min(1.0, math.exp(greatest) * math.fsum(math.exp(one - greatest) for one in chances))


def _log_ways(trials: int, hits: int) -> float:
    """Logarithm of the binomial coefficient."""
    return math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)


def _contradicted_share(said: Counter[Opinion]) -> float | None:
    known = said[Opinion.CONTRADICTED] + said[Opinion.AGREES]
    return said[Opinion.CONTRADICTED] / known if known else None


def _why(said: Counter[Opinion], base: float, whose: str) -> str:
    contradicted = said[Opinion.CONTRADICTED]
    known = contradicted + said[Opinion.AGREES]
    return (
        f"{whose} contradicts what is known of near-same inputs in {contradicted} of {known} "
        f"cases; usual is {base:.0%}"
    )


def _grouped(places: Iterable[int], name: Callable[[int], K]) -> dict[K, list[int]]:
    groups: defaultdict[K, list[int]] = defaultdict(list)
    for place in places:
        groups[name(place)].append(place)
    return groups


def _canonical(item: Item, seed: int) -> tuple[int, str, str, str, str]:
    drawn = lot(seed, "trust", item.id, item.key, item.target)
    return drawn, item.id, item.key, item.target, item.unit
