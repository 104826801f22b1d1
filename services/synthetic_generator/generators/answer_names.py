"""Sentences that say an answer by its name: what few examples leave open, names often say."""

from __future__ import annotations

import random
import re
from typing import Final

MOST_WORDS: Final = 6
_NAME: Final = re.compile(r"[^\W\d_]{2,}(?:[ _/'-]+[^\W\d_]+)*")
_CARRIERS: Final = (
    "{name}",
    "i have a question about {name}",
    "help me with {name}",
    "can you do this for me: {name}",
    "i need {name}",
    "this is about {name}",
    "what about {name}",
    "i want to know more about {name}",
)


def find_name(target: str) -> str | None:
    """An answer's name in words; None: it is no name, such as a number, a mailbox or a text."""
    if not _NAME.fullmatch(target):
        return None
    words = re.split(r"[ _/-]+", target.casefold())
    return " ".join(words) if len(words) <= MOST_WORDS else None


def build_name_sentence(name: str, rng: random.Random) -> str:
    """The name in a sentence, which is English as names of answers mostly are."""
    return rng.choice(_CARRIERS).format(name=name)
