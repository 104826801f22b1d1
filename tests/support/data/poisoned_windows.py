"""Windows of real requests as data preparation weighs them, with and without an attacker."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from archon_contracts.values import TrustPolicy
from services.data_prep.domain import Item, Policy
from services.data_prep.text import input_key
from services.data_prep.trust.rules import Weighed, weigh
from tests.support.data.intents import (
    DATA_FILE,
    Request,
    Story,
    answered,
    attack,
    judgements,
    story,
)
from tests.support.data.real_data import real_data

Window = tuple[Story, list[Item], list[Item]]
"""The story, what the agent was taught first, and the honest judgements."""


def windows(seeds: Sequence[int]) -> Iterator[Window]:
    """One of each seed."""
    path = real_data(DATA_FILE)
    for seed in seeds:
        told = story(path, seed)
        right = answered(told.pool, {one.id: one.intent for one in told.pool})
        yield told, [known(one) for one in told.first], items(judgements(told, right, seed))


def known(request: Request) -> Item:
    """What the agent was taught."""
    return Item(
        id=request.id,
        input=request.text,
        key=input_key(request.text),
        target=request.intent,
        source="replay",
    )


def items(lines: list[dict[str, object]]) -> list[Item]:
    """Lines of a window as the cleaning leaves them."""
    return [
        Item(
            id=str(line["id"]),
            input=str(line["input"]),
            key=input_key(str(line["input"])),
            target=str(line["target"]),
            source="feedback",
            unit=str(line["unit_id"]),
            given_by="user",
        )
        for line in lines
    ]


def lies(told: Story, *, names: int = 1, wanted: str = "") -> list[Item]:
    """The attacker's judgements, under so many names, for the story's target or another."""
    aimed = replace(told, wanted=wanted) if wanted else told
    return items(attack(aimed, told.attacked, names))


def decided(window: list[Item], known: list[Item], seed: int) -> Weighed:
    """What trust makes of a window."""
    return weigh(window, known, TrustPolicy(), Policy(), seed)


def share_held(seeds: Sequence[int], *, names: int) -> float:
    """Of the lies that one attacker sends under several names."""
    held = sent = 0
    for seed, (told, taught, honest) in zip(seeds, windows(seeds), strict=True):
        poison = lies(told, names=names)
        ids = {one.id for one in poison}
        held += sum(one.id in ids for one in decided([*honest, *poison], taught, seed).held)
        sent += len(poison)
    return held / sent
