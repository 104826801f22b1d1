"""Grammars: sentences with slots, per right answer, with weights and constraints."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Final

_SLOT = re.compile(r"\{(\w+)\}")
MOST_TRIES: Final = 20
"""Sentences that are made anew where a constraint forbids their values."""
EVERY_ALTERNATIVE: Final = 1.0
"""The diversity at which all alternatives are equally frequent, whatever they weigh."""


@dataclass(frozen=True, slots=True)
class OutOfScope:
    """Requests that the domain is not for, and the answer to them."""

    target: str
    sentences: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """A domain: what is asked (by answer), what is said around it, and what slots stand for.

    `weights` says how often a sentence or value is taken beside the others of its list: 1 unless
    stated. A sentence that has a value of each slot of one of the `forbidden` rules is not made.
    """

    requests: Mapping[str, Sequence[str]]
    slots: Mapping[str, Sequence[str]]
    openings: Sequence[str]
    contexts: Sequence[str]
    closings: Sequence[str]
    weights: Mapping[str, float] = field(default_factory=dict)
    forbidden: Sequence[Mapping[str, frozenset[str]]] = ()
    out_of_scope: OutOfScope | None = None
    is_english: bool = True

    @property
    def targets(self) -> tuple[str, ...]:
        """The right answers, sorted."""
        return tuple(sorted(self.requests))

    def choose(self, alternatives: Sequence[str], rng: random.Random, diversity: float) -> str:
        """One of them: by weight at a diversity of 0, all equally often at 1."""
        if diversity >= EVERY_ALTERNATIVE or not self.weights:
            return rng.choice(alternatives)
        # Compared by identity: the lists of a grammar are the same objects for ever.
        key = (id(alternatives), diversity)
        if key not in self._sums:
            flat = [self.weights.get(each, 1.0) ** (1 - diversity) for each in alternatives]
            self._sums[key] = list(accumulate(flat))
        return rng.choices(alternatives, cum_weights=self._sums[key])[0]

    @cached_property
    def _sums(self) -> dict[tuple[int, float], list[float]]:
        return {}

    def forbids(self, values: Mapping[str, set[str]]) -> bool:
        """Whether a rule is broken by these values of slots."""
        return any(
            all(values.get(slot, set()) & named for slot, named in rule.items())
            for rule in self.forbidden
        )


def build_sentence(
    grammar: Grammar,
    target: str,
    difficulty: str,
    rng: random.Random,
    diversity: float = EVERY_ALTERNATIVE,
) -> str | None:
    """A request for this answer: alone (easy), with an opening or closing (medium), or wrapped
    in circumstances as well (hard). None: the constraints left no sentence in `MOST_TRIES`."""
    for _ in range(MOST_TRIES):
        template = _build_template(grammar, target, difficulty, rng, diversity)
        values: defaultdict[str, set[str]] = defaultdict(set)

        def fill(match: re.Match[str], seen: defaultdict[str, set[str]] = values) -> str:
            value = grammar.choose(grammar.slots[match.group(1)], rng, diversity)
            seen[match.group(1)].add(value)
            # A value may hold slots of its own; files whose slots hold themselves are refused.
            return _SLOT.sub(fill, value) if "{" in value else value

        text = _SLOT.sub(fill, template)
        if not grammar.forbidden or not grammar.forbids(values):
            return text
    return None


def _build_template(
    grammar: Grammar, target: str, difficulty: str, rng: random.Random, diversity: float
) -> str:
    def choose(alternatives: Sequence[str]) -> list[str]:
        # A domain may have none: its sentences are then as they are at every difficulty.
        return [grammar.choose(alternatives, rng, diversity)] if alternatives else []

    around = {"easy": 0, "medium": 1, "hard": 3}[difficulty]
    parts = choose(grammar.requests[target])
    if around:
        parts = choose(grammar.contexts if rng.random() < 0.5 else grammar.openings) + parts
    if around > 1:
        parts = choose(grammar.openings) + parts + choose(grammar.contexts)
    if around > 1 or (around and rng.random() < 0.5):
        parts += choose(grammar.closings)
    return " ".join(parts)


def slot_names(template: str) -> set[str]:
    """The slots that a template uses."""
    return set(_SLOT.findall(template))
