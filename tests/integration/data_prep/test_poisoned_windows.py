"""Windows of real requests with an attacker in them: what does trust quarantine?

No model takes part. Each prefix samples other intents, requests and attacks; the rules were chosen
on others than these.
"""

from collections import Counter

import pytest

from services.data_prep.domain import QuarantineReason
from tests.support.data.intents import HONEST
from tests.support.data.poisoned_windows import (
    decide,
    make_attacker_items,
    measure_quarantined_proportion,
    windows,
)

SEEDS = range(7)
PREFIXES = ("alpha", "beta", "gamma")
TEACHER = "teacher"

every_prefix = pytest.mark.parametrize("prefix", PREFIXES)


@every_prefix
def test_hardly_anything_of_honest_windows_is_held(prefix: str) -> None:
    sent = quarantined = 0
    for seed, (_, known, honest) in enumerate(windows(SEEDS, prefix)):
        sent += len(honest)
        quarantined += len(decide(honest, known, seed).quarantined)

    assert quarantined <= 0.03 * sent


@every_prefix
def test_a_fifth_of_a_window_from_one_attacker_is_held_in_full(prefix: str) -> None:
    held = 0
    for seed, (scenario, known, honest) in enumerate(windows(SEEDS, prefix)):
        poison = make_attacker_items(scenario)

        result = decide([*honest, *poison], known, seed)

        quarantined = {one.id: one.reason for one in result.quarantined}
        lies = {one.id for one in poison}
        assert lies <= quarantined.keys(), f"seed {seed}"
        assert {quarantined[one] for one in lies} == {QuarantineReason.OUTLIER}
        held += len(quarantined.keys() - lies)

    assert held <= 0.03 * HONEST * len(SEEDS)


@every_prefix
def test_hiding_lies_among_true_feedback_events_hardly_helps(prefix: str) -> None:
    quarantined = 0
    for seed, (scenario, known, honest) in enumerate(windows(SEEDS, prefix)):
        poison = make_attacker_items(scenario)
        disguise = [one.model_copy(update={"unit": poison[0].unit}) for one in honest[:20]]

        result = decide([*disguise, *honest[20:], *poison], known, seed)

        quarantined += {one.id for one in poison} <= {one.id for one in result.quarantined}

    assert quarantined >= len(SEEDS) - 1


@every_prefix
def test_an_invented_answer_is_held_too(prefix: str) -> None:
    for seed, (scenario, known, honest) in enumerate(windows(SEEDS, prefix)):
        poison = [
            i.model_copy(update={"target": "invented"}) for i in make_attacker_items(scenario)
        ]

        result = decide([*honest, *poison], known, seed)

        assert {one.id for one in poison} <= {one.id for one in result.quarantined}, f"seed {seed}"


@every_prefix
def test_a_user_who_alone_teaches_something_new_is_mostly_heard(prefix: str) -> None:
    reasons: Counter[QuarantineReason] = Counter()
    for seed, (scenario, known, honest) in enumerate(windows(SEEDS, prefix)):
        subject = scenario.new[0]
        window = [
            i.model_copy(update={"unit": TEACHER}) if i.target == subject else i for i in honest
        ]
        reasons.update(one.reason for one in decide(window, known, seed).quarantined)

    taught = 10 * len(SEEDS)
    assert reasons[QuarantineReason.OUTLIER] <= taught / 4, (
        "what reads like a known intent is doubted"
    )


@every_prefix
@pytest.mark.parametrize("names", [3, 12])
def test_names_in_league_are_held_while_they_are_fewer_than_the_others(
    prefix: str, names: int
) -> None:
    assert measure_quarantined_proportion(SEEDS, names=names, prefix=prefix) > 0.85
