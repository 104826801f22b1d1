"""Windows of real requests as data preparation weighs them, with and without an attacker."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from archon_contracts.values import TrustPolicy
from services.data_prep.domain import Item, PreparationPolicy
from services.data_prep.text import normalise_input
from services.data_prep.trust.rules import TrustResult, apply_trust
from tests.support.data.intents import (
    DATA_FILE,
    IntentRequest,
    IntentScenario,
    make_attack,
    make_feedback,
    make_scenario,
    with_predictions,
)
from tests.support.data.real_data import real_data

ScenarioWindow = tuple[IntentScenario, list[Item], list[Item]]
"""The scenario, what the agent was taught first, and the honest feedback."""


def windows(seeds: Sequence[int], prefix: str = "alpha") -> Iterator[ScenarioWindow]:
    """One of each seed; another prefix samples other windows."""
    for seed in seeds:
        scenario, first, honest = _window(seed, prefix)
        yield scenario, list(first), list(honest)


# Each rule's tests look at the same windows.
@cache
def _window(seed: int, prefix: str) -> tuple[IntentScenario, tuple[Item, ...], tuple[Item, ...]]:
    scenario = make_scenario(real_data(DATA_FILE), seed, prefix)
    right = with_predictions(scenario.pool, {one.id: one.intent for one in scenario.pool})
    first = tuple(known(one) for one in scenario.first)
    return scenario, first, tuple(items(make_feedback(scenario, right, seed)))


def known(request: IntentRequest) -> Item:
    """What the agent was taught."""
    return Item(
        id=request.id,
        input=request.text,
        key=normalise_input(request.text),
        target=request.intent,
        source="replay",
    )


def items(lines: list[dict[str, object]]) -> list[Item]:
    """Lines of a window as the cleaning leaves them."""
    return [
        Item(
            id=str(line["id"]),
            input=str(line["input"]),
            key=normalise_input(str(line["input"])),
            target=str(line["target"]),
            source="feedback",
            unit=str(line["unit"]),
            feedback_source="user",
        )
        for line in lines
    ]


def make_attacker_items(
    scenario: IntentScenario, *, names: int = 1, wanted: str = ""
) -> list[Item]:
    """The attacker's feedback, under so many names, for the scenario's target or another."""
    aimed = replace(scenario, wanted=wanted) if wanted else scenario
    return items(make_attack(aimed, scenario.attack_pool, names))


def decide(window: list[Item], known: list[Item], seed: int) -> TrustResult:
    """What trust makes of a window."""
    return apply_trust(window, known, TrustPolicy(), PreparationPolicy(), seed)


def measure_quarantined_proportion(
    seeds: Sequence[int], *, names: int, prefix: str = "alpha"
) -> float:
    """Of the items that one attacker sends under several names."""
    quarantined = sent = 0
    for seed, (scenario, taught, honest) in zip(seeds, windows(seeds, prefix), strict=True):
        poison = make_attacker_items(scenario, names=names)
        ids = {one.id for one in poison}
        quarantined += sum(
            one.id in ids for one in decide([*honest, *poison], taught, seed).quarantined
        )
        sent += len(poison)
    return quarantined / sent
