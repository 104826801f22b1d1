"""Grammars: sentences with slots, per right answer."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """A domain: what is asked (by answer), what is said around it, and what slots stand for."""

    requests: Mapping[str, Sequence[str]]
    slots: Mapping[str, Sequence[str]]
    openings: Sequence[str]
    contexts: Sequence[str]
    closings: Sequence[str]

    @property
    def targets(self) -> tuple[str, ...]:
        """The right answers, sorted."""
        return tuple(sorted(self.requests))


def build_sentence(grammar: Grammar, target: str, difficulty: str, rng: random.Random) -> str:
    """A request for this answer: alone (easy), with an opening or closing (medium), or wrapped
    in circumstances as well (hard)."""
    request = rng.choice(grammar.requests[target])
    around = {"easy": 0, "medium": 1, "hard": 3}[difficulty]
    parts = [request]
    if around:
        parts.insert(0, rng.choice(grammar.contexts if rng.random() < 0.5 else grammar.openings))
    if around > 1:
        parts.insert(0, rng.choice(grammar.openings))
        parts.append(rng.choice(grammar.contexts))
    if around > 1 or (around and rng.random() < 0.5):
        parts.append(rng.choice(grammar.closings))
    return fill_slots(" ".join(parts), grammar.slots, rng)


def fill_slots(template: str, slots: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """The template with each slot replaced by one of its values."""
    return _SLOT.sub(lambda match: rng.choice(slots[match.group(1)]), template)


def slot_names(template: str) -> set[str]:
    """The slots that a template uses."""
    return set(_SLOT.findall(template))
