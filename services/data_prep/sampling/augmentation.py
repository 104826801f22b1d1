"""Training inputs altered so that they mean the same: a slip of the finger, a word less."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from services.data_prep.domain import Item
from services.data_prep.seeded_hash import lot
from services.data_prep.text import input_key

AUGMENTED = "synthetic"
SHORTEST_TO_DROP_FROM = 5


def variants(items: Sequence[Item], share: float, seed: int, taken: Collection[str]) -> list[Item]:
    """`share` variants per item, each with its item's target; none has a `taken` input."""
    chosen = sorted(items, key=lambda item: lot(seed, "augment", item.key))
    used = set(taken)
    made: list[Item] = []
    for item in chosen[: round(len(items) * share)]:
        text = _varied(item.input, random.Random(lot(seed, "vary", item.key)))
        key = input_key(text)
        if key and key not in used:
            used.add(key)
            made.append(_variant(item, text, key))
    return made


def slip(text: str, rng: random.Random) -> str:
    """Two neighbouring letters exchanged."""
    places = [i for i in range(len(text) - 1) if text[i : i + 2].isalpha()]
    if not places:
        return text
    at = rng.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def drop_word(text: str, rng: random.Random) -> str:
    """The text without one of its words, where there are enough to keep its meaning."""
    words = text.split()
    if len(words) < SHORTEST_TO_DROP_FROM:
        return text
    del words[rng.randrange(len(words))]
    return " ".join(words)


def other_case(text: str, rng: random.Random) -> str:
    """All small or all capital letters."""
    return text.lower() if rng.random() < 0.5 else text.upper()


_EDITS: tuple[Callable[[str, random.Random], str], ...] = (slip, drop_word)


def _varied(text: str, rng: random.Random) -> str:
    # Case alone leaves the key equal, so it comes on top of an edit that is a new input.
    edited = rng.choice(_EDITS)(text, rng)
    return other_case(edited, rng) if rng.random() < 0.25 else edited


def _variant(item: Item, text: str, key: str) -> Item:
    return replace(item, id=f"{item.id}#1", input=text, key=key, source=AUGMENTED, origins=())
