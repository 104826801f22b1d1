"""Windows of real requests with an attacker in them: whom does trust hold? No model takes part."""

from collections import Counter
from dataclasses import replace

from archon_contracts.values import TrustPolicy
from services.data_prep.domain import HeldReason, Item, Policy
from services.data_prep.normalising import input_key
from services.data_prep.trust import Weighed, weigh
from tests.support.intents import DATA_FILE, Request, Story, answered, attack, judgements, story
from tests.support.real_data import real_data

SEEDS = range(20)
TEACHER = "teacher"


def windows() -> list[tuple[Story, list[Item], list[Item]]]:
    """Of each seed its story, what the agent was taught first, and the honest judgements."""
    path = real_data(DATA_FILE)
    stories = [story(path, seed) for seed in SEEDS]
    return [
        (told, [_known(one) for one in told.first], _items(judgements(told, _right(told), seed)))
        for seed, told in enumerate(stories)
    ]


def _right(told: Story) -> list[Request]:
    """An agent that answers everything rightly."""
    return answered(told.pool, {one.id: one.intent for one in told.pool})


def _known(request: Request) -> Item:
    return Item(
        id=request.id,
        input=request.text,
        key=input_key(request.text),
        target=request.intent,
        source="replay",
    )


def _items(lines: list[dict[str, object]]) -> list[Item]:
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


def decided(window: list[Item], known: list[Item], seed: int) -> Weighed:
    return weigh(window, known, TrustPolicy(), Policy(), seed)


def test_honest_windows_are_held_back_in_nothing() -> None:
    held = [
        one
        for seed, (_, known, honest) in enumerate(windows())
        for one in decided(honest, known, seed).held
    ]

    assert held == []


def test_a_fifth_of_a_window_from_one_attacker_is_held_in_full_and_nobody_else() -> None:
    for seed, (told, known, honest) in enumerate(windows()):
        poison = _items(attack(told, told.attacked))

        result = decided([*honest, *poison], known, seed)

        assert {one.id for one in result.held} == {one.id for one in poison}, f"seed {seed}"
        assert {one.reason for one in result.held} == {HeldReason.OUTLIER}


def test_hiding_lies_among_true_judgements_hardly_helps() -> None:
    held = 0
    for seed, (told, known, honest) in enumerate(windows()):
        poison = _items(attack(told, told.attacked))
        disguise = [replace(one, unit=poison[0].unit) for one in honest[:20]]

        result = decided([*disguise, *honest[20:], *poison], known, seed)

        held += {one.id for one in poison} <= {one.id for one in result.held}

    assert held >= len(SEEDS) - 2


def test_an_invented_answer_is_held_too() -> None:
    for seed, (told, known, honest) in enumerate(windows()):
        poison = [replace(i, target="invented") for i in _items(attack(told, told.attacked))]

        result = decided([*honest, *poison], known, seed)

        assert {one.id for one in poison} <= {one.id for one in result.held}, f"seed {seed}"


def test_a_user_who_alone_teaches_something_new_is_mostly_heard() -> None:
    reasons: Counter[HeldReason] = Counter()
    for seed, (told, known, honest) in enumerate(windows()):
        subject = told.new[0]
        window = [replace(i, unit=TEACHER) if i.target == subject else i for i in honest]
        reasons.update(one.reason for one in decided(window, known, seed).held)

    taught = 10 * len(SEEDS)
    assert reasons[HeldReason.OUTLIER] <= taught / 4, "what reads like a known intent is doubted"


def test_three_names_in_league_are_mostly_held_and_a_dozen_look_like_a_change_of_mind() -> None:
    assert _share_held(names=3) > 0.5
    assert _share_held(names=12) < 0.25


def _share_held(*, names: int) -> float:
    """Of lies that one attacker sends under several names."""
    held = sent = 0
    for seed, (told, known, honest) in enumerate(windows()):
        poison = _items(attack(told, told.attacked, names))
        lies = {one.id for one in poison}
        held += sum(one.id in lies for one in decided([*honest, *poison], known, seed).held)
        sent += len(poison)
    return held / sent
