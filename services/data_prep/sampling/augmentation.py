"""Training inputs altered so that they mean the same: a typing error, a word less."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence

from archon_contracts.commands import SourceKind
from services.data_prep.domain import Item
from services.data_prep.seeded_hash import seeded_hash
from services.data_prep.text import normalise_input

GENERATOR = "augmentation"
MINIMUM_WORDS_TO_DROP = 5


def make_variants(
    items: Sequence[Item], share: float, seed: int, taken: Collection[str]
) -> list[Item]:
    """`share` make_variants per item, each with its item's target; none has a `taken` input."""
    chosen = sorted(items, key=lambda item: seeded_hash(seed, "augment", item.key))
    used = set(taken)
    made: list[Item] = []
    for item in chosen[: round(len(items) * share)]:
        text = _edit(item.input, random.Random(seeded_hash(seed, "vary", item.key)))
        key = normalise_input(text)
        if key and key not in used:
            used.add(key)
            made.append(_make_variant(item, text, key))
    return made


def swap_letters(text: str, rng: random.Random) -> str:
    """Two neighbouring letters exchanged."""
    places = [i for i in range(len(text) - 1) if text[i : i + 2].isalpha()]
    if not places:
        return text
    at = rng.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def drop_word(text: str, rng: random.Random) -> str:
    """The text without one of its words, where there are enough to keep its meaning."""
    words = text.split()
    if len(words) < MINIMUM_WORDS_TO_DROP:
        return text
    del words[rng.randrange(len(words))]
    return " ".join(words)


def change_case(text: str, rng: random.Random) -> str:
    """All small or all capital letters."""
    return text.lower() if rng.random() < 0.5 else text.upper()


_EDITS: tuple[Callable[[str, random.Random], str], ...] = (swap_letters, drop_word)


def _edit(text: str, rng: random.Random) -> str:
    # Case alone leaves the key equal, so it comes on top of an edit that is a new input.
    edited = rng.choice(_EDITS)(text, rng)
    return change_case(edited, rng) if rng.random() < 0.25 else edited


def _make_variant(item: Item, text: str, key: str) -> Item:
    return item.model_copy(
        update={
            "id": f"{item.id}#1",
            "input": text,
            "key": key,
            "source": SourceKind.SYNTHETIC.value,
            "generator": GENERATOR,
            "feedback_ids": (),
        }
    )
