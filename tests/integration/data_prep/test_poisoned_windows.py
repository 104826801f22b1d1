"""Windows of real requests with an attacker in them: whom does trust hold? No model takes part."""

from collections import Counter

from services.data_prep.domain import QuarantineReason
from tests.support.data.poisoned_windows import (
    decide,
    make_attacker_items,
    measure_quarantined_proportion,
    windows,
)

SEEDS = range(20)
TEACHER = "teacher"


def test_honest_windows_are_held_back_in_nothing() -> None:
    quarantined = [
        one
        for seed, (_, known, honest) in enumerate(windows(SEEDS))
        for one in decide(honest, known, seed).quarantined
    ]

    assert quarantined == []


def test_a_fifth_of_a_window_from_one_attacker_is_held_in_full_and_nobody_else() -> None:
    for seed, (scenario, known, honest) in enumerate(windows(SEEDS)):
        poison = make_attacker_items(scenario)

        result = decide([*honest, *poison], known, seed)

        assert {one.id for one in result.quarantined} == {one.id for one in poison}, f"seed {seed}"
        assert {one.reason for one in result.quarantined} == {QuarantineReason.OUTLIER}


def test_hiding_lies_among_true_feedback_events_hardly_helps() -> None:
    quarantined = 0
    for seed, (scenario, known, honest) in enumerate(windows(SEEDS)):
        poison = make_attacker_items(scenario)
        disguise = [one.model_copy(update={"unit": poison[0].unit}) for one in honest[:20]]

        result = decide([*disguise, *honest[20:], *poison], known, seed)

        quarantined += {one.id for one in poison} <= {one.id for one in result.quarantined}

    assert quarantined >= len(SEEDS) - 2


def test_an_invented_answer_is_held_too() -> None:
    for seed, (scenario, known, honest) in enumerate(windows(SEEDS)):
        poison = [
            i.model_copy(update={"target": "invented"}) for i in make_attacker_items(scenario)
        ]

        result = decide([*honest, *poison], known, seed)

        assert {one.id for one in poison} <= {one.id for one in result.quarantined}, f"seed {seed}"


def test_a_user_who_alone_teaches_something_new_is_mostly_heard() -> None:
    reasons: Counter[QuarantineReason] = Counter()
    for seed, (scenario, known, honest) in enumerate(windows(SEEDS)):
        subject = scenario.new[0]
        window = [
            i.model_copy(update={"unit": TEACHER}) if i.target == subject else i for i in honest
        ]
        reasons.update(one.reason for one in decide(window, known, seed).quarantined)

    taught = 10 * len(SEEDS)
    assert reasons[QuarantineReason.OUTLIER] <= taught / 4, (
        "what reads like a known intent is doubted"
    )


def test_three_names_in_league_are_mostly_held_and_a_dozen_look_like_a_change_of_mind() -> None:
    assert measure_quarantined_proportion(SEEDS, names=3) > 0.5
    assert measure_quarantined_proportion(SEEDS, names=12) < 0.25
