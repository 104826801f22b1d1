"""A help desk's requests, and the units that judge them: what trust decides about."""

from __future__ import annotations

import itertools
import random

from archon_contracts.values import TrustPolicy
from services.data_prep.domain import Item, Policy
from services.data_prep.trust.rules import Weighed, weigh
from tests.support.data.datasets import item

WORDS = {
    "cancel": ["please", "cancel", "stop", "the", "purchase", "order", "undo", "now"],
    "refund": ["want", "my", "money", "back", "refund", "amount", "i", "paid"],
    "status": ["where", "is", "parcel", "package", "shipped", "when", "arrives", "tracking"],
    "invoice": ["send", "invoice", "email", "billing", "document", "receipt", "copy", "pdf"],
}


def asked(target: str, number: int) -> str:
    """A request that `target` rightly answers: five of its words in their order."""
    words = list(itertools.combinations(WORDS[target], 5))
    return " ".join(random.Random(0).sample(words, len(words))[number])


def memory(*targets: str, each: int = 8) -> list[Item]:
    """What the agent learned before: the first requests for each target."""
    return [
        item(asked(target, number), target, source="replay")
        for target in targets or ("cancel", "refund", "status")
        for number in range(each)
    ]


def judged(about: str, said: str, unit: str, *, start: int = 8, count: int = 8) -> list[Item]:
    """Requests for `about` that a unit answers with `said`."""
    return [
        item(asked(about, number), said, unit=unit, given_by="user", id=f"{unit}-{about}-{number}")
        for number in range(start, start + count)
    ]


def weighed(
    items: list[Item], known: list[Item] | None = None, *, seed: int = 0, **trust: object
) -> Weighed:
    """What trust makes of a window."""
    return weigh(items, known or [], TrustPolicy.model_validate(trust), Policy(), seed)
