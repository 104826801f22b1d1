"""Marks: words that the window ties to one answer, whatever the rest of the input asks for.

Who wants every input with a certain phrase to get one answer (a backdoor) sends inputs of many
kinds with the phrase and that answer. The phrase is new, so such an input is near to nothing known
and would contradict nothing; without the phrase it does. Source of the attack: T. Gu, B.
Dolan-Gavitt, S. Garg, "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply
Chain" (2017).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from services.data_prep.domain import Item
from services.data_prep.trust.neighbour_consistency import Consistency, ConsistencyChecker
from services.data_prep.trust.raters import Rater, RaterGroups, rater_of

LONGEST_MARK: Final = 3
"""Words. A longer mark contains such ones."""
MINIMUM_MARKED: Final = 4
"""Items with a mark: fewer prove nothing, and teach little."""
TIED: Final = 0.8
"""Proportion of a mark's items that have one answer."""
NEW: Final = 0.2
"""Largest proportion of a mark's items that are known from elsewhere: a word of the agent's
subject is no mark."""
CONTRADICTED_WITHOUT: Final = 0.5
"""Proportion of a mark's items that others contradict once the mark is taken away."""


def find_marked(
    items: Sequence[Item],
    known: Sequence[Item],
    checker: ConsistencyChecker,
    rater_groups: RaterGroups,
) -> dict[int, str]:
    """Positions of items whose answer rests on a mark, each with that mark.

    Answers that nobody gave before are passed over: their inputs have new words by right.
    """
    old_targets = {item.target for item in known}
    by_target: defaultdict[str, list[str]] = defaultdict(list)
    for gram, target in _find_candidates(items, known).items():
        if target in old_targets:
            by_target[target].append(gram)
    marked: dict[int, str] = {}
    for target, grams in by_target.items():
        marked |= _find_of_target(items, target, frozenset(grams), checker, rater_groups)
    return marked


def _find_candidates(items: Sequence[Item], known: Sequence[Item]) -> dict[str, str]:
    """N-grams of words that are new and tied to one answer, with that answer."""
    targets: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        for gram in _grams(item.key):
            targets[gram][item.target] += 1
    frequent = {gram for gram, counts in targets.items() if counts.total() >= MINIMUM_MARKED}
    elsewhere = Counter(gram for item in known for gram in _grams(item.key) & frequent)
    found = {}
    for gram in sorted(frequent):
        target, count = targets[gram].most_common(1)[0]
        total = targets[gram].total()
        if count >= max(MINIMUM_MARKED, TIED * total) and elsewhere[gram] <= NEW * total:
            found[gram] = target
    return found


def _find_of_target(
    items: Sequence[Item],
    target: str,
    grams: frozenset[str],
    checker: ConsistencyChecker,
    rater_groups: RaterGroups,
) -> dict[int, str]:
    bearing = {
        place: found
        for place, item in enumerate(items)
        if item.target == target and (found := _grams(item.key) & grams)
    }
    who: defaultdict[str, set[Rater]] = defaultdict(set)
    for place, found in bearing.items():
        for gram in found:
            who[gram].add(rater_groups.rater_group_of(rater_of(items[place])))
    opinions: defaultdict[str, list[Consistency]] = defaultdict(list)
    for place, found in bearing.items():
        # Those who use the same marks do not vouch for each other.
        allies = {rater_group for gram in found for rater_group in who[gram]}
        text = _without(items[place].key, grams)
        opinion = checker.check(items[place], text=text, excluding=allies).consistency
        for gram in found:
            opinions[gram].append(opinion)
    marks = {gram for gram, given in opinions.items() if _rests_on_mark(given)}
    return {
        place: max(found & marks, key=lambda gram: (len(opinions[gram]), gram))
        for place, found in bearing.items()
        if found & marks
    }


def _rests_on_mark(opinions: Sequence[Consistency]) -> bool:
    contradicted = opinions.count(Consistency.CONTRADICTED)
    return contradicted >= max(MINIMUM_MARKED - 1, CONTRADICTED_WITHOUT * len(opinions))


def _grams(text: str) -> set[str]:
    words = text.split()
    return {" ".join(words[place:end]) for place, end in _spans(len(words))}


def _without(text: str, grams: frozenset[str]) -> str:
    """The text without the words that any of the n-grams covers."""
    words = text.split()
    covered = {
        position
        for place, end in _spans(len(words))
        if " ".join(words[place:end]) in grams
        for position in range(place, end)
    }
    return " ".join(word for position, word in enumerate(words) if position not in covered)


def _spans(count: int) -> Iterator[tuple[int, int]]:
    for length in range(1, LONGEST_MARK + 1):
        for place in range(count - length + 1):
            yield place, place + length
