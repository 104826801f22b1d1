"""Nothing that the evaluation asks may be taught."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable

from archon_contracts.formats import SuiteItem
from services.data_prep.cleaning.personal_data import Placeholders
from services.data_prep.domain import HeldOut, Item, PreparationCounters
from services.data_prep.text import normalise_input, to_text


def collect_held_out(items: Iterable[SuiteItem], *, redacted: bool = False) -> HeldOut:
    """What an evaluation suite asks, and the answers that it expects."""
    held_out: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        text = to_text(item.input)
        asked = Placeholders().redact(text) if redacted else text
        held_out[normalise_input(asked)].add(to_text(item.target))
    return {key: frozenset(targets) for key, targets in held_out.items() if key}


def drop_held_out(
    items: Iterable[Item], held_out: Container[str], counters: PreparationCounters
) -> list[Item]:
    """The items whose input the suite does not ask word for word."""
    kept: list[Item] = []
    for item in items:
        if item.key in held_out:
            counters.held_out += 1
        else:
            kept.append(item)
    return kept
