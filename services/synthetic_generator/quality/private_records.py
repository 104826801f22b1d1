"""How near a made text comes to a private record: by its vector, and by what it repeats of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from services.synthetic_generator.domain import Sample
from services.synthetic_generator.quality.embedding import Embed, cosines
from services.synthetic_generator.quality.language import split_words

RUN_WORDS: Final = 6
"""Words in a row that are taken for a copy."""
FEWEST_HOLDERS: Final = 3
"""Records that must have a run of words or a detail before it belongs to none of them."""
_DETAIL: Final = re.compile(r"\w*[0-9]{4,}\w*")


class PrivateRecords:
    """Examples that nobody may recognise in what is made."""

    def __init__(self, records: Sequence[Sample], distance: float, embed: Embed) -> None:
        self._embed = embed
        self._nearest = 1.0 - distance
        self._vectors = embed([record.input for record in records]) if records else None
        holders = Counter(each for record in records for each in set(_traces(record.input)))
        self._own = {each for each, count in holders.items() if count < FEWEST_HOLDERS}

    def find_near(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether it is nearer to a record than the distance, or repeats what fewer
        than `FEWEST_HOLDERS` records have: a run of `RUN_WORDS` words, or a number."""
        if self._vectors is None or not texts:
            return [False] * len(texts)
        nearest = cosines(self._embed(texts), self._vectors).max(axis=1)
        return [
            bool(similarity > self._nearest) or not self._own.isdisjoint(_traces(text))
            for text, similarity in zip(texts, nearest, strict=True)
        ]


def _traces(text: str) -> Iterator[str]:
    words = split_words(text.casefold())
    for at in range(len(words) - RUN_WORDS + 1):
        yield " ".join(words[at : at + RUN_WORDS])
    yield from _DETAIL.findall(text.casefold())
