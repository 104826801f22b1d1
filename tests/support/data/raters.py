"""A help desk's requests, and the units that rate them: what trust decides about."""

from __future__ import annotations

import itertools
import random
from collections import Counter

from archon_contracts.values import TrustPolicy
from services.data_prep.domain import Item, PreparationPolicy
from services.data_prep.trust.rules import TrustResult, apply_trust
from tests.support.data.datasets import item

WORDS = {
    "cancel": ["please", "cancel", "stop", "the", "purchase", "order", "undo", "now"],
    "refund": ["want", "my", "money", "back", "refund", "amount", "i", "paid"],
    "status": ["where", "is", "parcel", "package", "shipped", "when", "arrives", "tracking"],
    "invoice": ["send", "invoice", "email", "billing", "document", "receipt", "copy", "pdf"],
}


def make_request(target: str, number: int) -> str:
    """A request that `target` rightly answers: five of its words in their order."""
    words = list(itertools.combinations(WORDS[target], 5))
    return " ".join(random.Random(0).sample(words, len(words))[number])


def memory(*targets: str, each: int = 8) -> list[Item]:
    """What the agent learned before: the first requests for each target."""
    return [
        item(make_request(target, number), target, source="replay")
        for target in targets or ("cancel", "refund", "status")
        for number in range(each)
    ]


def rated(about: str, label: str, unit: str, *, start: int = 8, count: int = 8) -> list[Item]:
    """Requests for `about` that a unit answers with `label`."""
    return [
        item(
            make_request(about, number),
            label,
            unit=unit,
            feedback_source="user",
            id=f"{unit}-{about}-{number}",
        )
        for number in range(start, start + count)
    ]


def apply_policy(
    items: list[Item], known: list[Item] | None = None, *, seed: int = 0, **trust: object
) -> TrustResult:
    """What trust makes of a window."""
    return apply_trust(
        items, known or [], TrustPolicy.model_validate(trust), PreparationPolicy(), seed
    )


def one_each(about: str, said: str) -> list[Item]:
    """Feedback of eight units, one each."""
    return [one for n in range(8, 16) for one in rated(about, said, f"u{n}", start=n, count=1)]


def count_reasons(result: TrustResult) -> Counter[str]:
    """How many items are quarantined for which reason."""
    return Counter(one.reason for one in result.quarantined)


def ids_of(result: TrustResult) -> list[str]:
    """The items that count."""
    return [one.id for one in result.items]
