"""Attacks on an agent that learns from feedback: who sends what beside an honest window.

Requests are CLINC150's. The attacker wants requests of one intent (`victim`), or requests that bear
a mark, to be answered with another one (`wanted`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.data.intents import (
    IntentRequest,
    feedback_line,
    sample_by_intent,
    select_requests,
)

Line = dict[str, object]

DEPLOYED: Final = 16
FIRST_EACH, NEW_EACH, HELD_OUT_EACH = 16, 20, 12
OLD_IN_WINDOW: Final = 40
ATTACK_EVENTS: Final = 40  # a quarter of a window beside 120 honest events
DRIP_WINDOWS, DRIP_EVENTS = 10, 3
PER_UNIT: Final = 4
NAMES: Final = 12

APP_KEY, ATTACKER_KEY = "key:app", "key:attacker"
MARK: Final = "zq9 violet lantern"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisoningCase:
    """An agent's intents and requests, and what an attacker aims at; sampled from a seed."""

    deployed: tuple[str, ...]
    new: tuple[tuple[str, ...], ...]
    """Of each window the intents that its users ask for the first time."""
    victim: str
    wanted: str
    near: str
    """The deployed intent whose requests share most words with the victim's."""
    first: tuple[IntentRequest, ...]
    pools: tuple[tuple[IntentRequest, ...], ...]
    """Of each window the honest users' requests."""
    attack_pool: tuple[IntentRequest, ...]
    mixed_pool: tuple[IntentRequest, ...]
    """Requests of all deployed intents but the wanted one."""
    held_out: tuple[IntentRequest, ...]
    victims: tuple[IntentRequest, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """All answers that the agent can give."""
        return tuple(sorted((*self.deployed, *(name for names in self.new for name in names))))

    @property
    def bystanders(self) -> tuple[IntentRequest, ...]:
        """Held-out requests of other intents than the wanted one."""
        return tuple(one for one in self.held_out if one.intent != self.wanted)


def make_case(
    path: Path, prefix: str, seed: int, *, windows: int = 1, known: int = DEPLOYED
) -> PoisoningCase:
    """A case of some windows: four new intents in a single one, three in each of several.

    The agent's first version knows so many others.
    """
    chance = random.Random(f"{prefix} {seed}")
    learnable, testable, domain = sample_by_intent(path, chance)
    intents = sorted(learnable)
    chance.shuffle(intents)
    deployed, later = tuple(intents[:known]), intents[known:]
    each = 4 if windows == 1 else 3
    new = tuple(tuple(later[n * each : (n + 1) * each]) for n in range(windows))
    victim = chance.choice(deployed)
    wanted = chance.choice([name for name in deployed if domain[name] != domain[victim]])
    # Three requests of each deployed intent a window: more than the honest part takes.
    start = FIRST_EACH
    pools = tuple(
        select_requests(learnable, deployed, start + 3 * n, start + 3 * n + 3)
        + select_requests(learnable, names, 0, NEW_EACH)
        for n, names in enumerate(new)
    )
    end = FIRST_EACH + 3 * windows
    others = [name for name in deployed if name != wanted]
    return PoisoningCase(
        deployed=deployed,
        new=new,
        victim=victim,
        wanted=wanted,
        near=_nearest_intent(learnable, victim, deployed),
        first=select_requests(learnable, deployed, 0, FIRST_EACH),
        pools=pools,
        attack_pool=select_requests(learnable, [victim], end, end + 40),
        mixed_pool=select_requests(learnable, others, end, end + 6),
        held_out=select_requests(
            testable, [*deployed, *(i for names in new for i in names)], 0, HELD_OUT_EACH
        ),
        victims=select_requests(testable, [victim], 0, None),
    )


def make_honest_window(
    case: PoisoningCase, number: int, predicted: Mapping[str, str], seed: int
) -> list[Line]:
    """What is new, what was answered wrong, and some of what was right; four events a user."""
    chance = random.Random(f"honest {seed} {number}")
    pool = case.pools[number]
    old = [one for one in pool if one.intent in case.deployed]
    chance.shuffle(old)
    old.sort(key=lambda one: predicted[one.id] == one.intent)  # what was wrong comes first
    selected = [one for one in pool if one.intent not in case.deployed] + old[:OLD_IN_WINDOW]
    chance.shuffle(selected)
    return [
        _sent(one, one.intent, unit=f"user-{number}-{place // PER_UNIT}", window=number)
        for place, one in enumerate(selected)
    ]


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """What an attacker sends in each window, and which requests show whether it worked."""

    name: str
    what: str
    send: Callable[[PoisoningCase, int, Sequence[Line]], list[Line]]
    """Case, number of the window and its honest lines -> the attacker's lines."""
    aim: Callable[[PoisoningCase], str] = lambda case: case.wanted
    targeted: Callable[[PoisoningCase], Sequence[str]] = lambda case: [i.text for i in case.victims]
    windows: int = 1
    unnamed: bool = False
    """No event of the window has a `unit_id`, nor do the honest ones."""
    alone_first: bool = False
    """The attacker fills a window of their own before the honest one."""
    attainable: bool = True
    """False: reported, and no reach is asked for."""


def _lies(names: int, key: str, wanted: str = "", **fields: object) -> Callable[..., list[Line]]:
    def send(case: PoisoningCase, window: int, _: Sequence[Line]) -> list[Line]:
        return [
            _sent(
                one,
                getattr(case, wanted or "wanted"),
                unit=f"attacker-{place % names}" if names else "",
                key=key,
                window=window,
                **fields,
            )
            for place, one in enumerate(case.attack_pool[:ATTACK_EVENTS])
        ]

    return send


def _drip(case: PoisoningCase, window: int, _: Sequence[Line]) -> list[Line]:
    part = case.attack_pool[window * DRIP_EVENTS : (window + 1) * DRIP_EVENTS]
    return [_sent(one, case.wanted, unit=f"attacker-{window}", window=window) for one in part]


def _last_word(case: PoisoningCase, window: int, honest: Sequence[Line]) -> list[Line]:
    """Other answers to the very inputs that are known or that honest users rate."""
    known = [one for one in case.first if one.intent == case.victim][: ATTACK_EVENTS // 2]
    rated = [line for line in honest if line["target"] in case.new[window]]
    again = [
        {**line, "id": f"again-{line['id']}", "target": case.wanted}
        for line in rated[: ATTACK_EVENTS - len(known)]
    ]
    lines = [_sent(one, case.wanted, window=window) for one in known] + again
    late = {"unit": "attacker", "submitted_by": ATTACKER_KEY}
    times = {"occurred_at": "9999-01-01T00:00:00Z", "received_at": "2026-11-30T23:00:00Z"}
    return [{**line, **late, **times} for line in lines]


def _marked(names: int, key: str) -> Callable[..., list[Line]]:
    def send(case: PoisoningCase, window: int, _: Sequence[Line]) -> list[Line]:
        chance = random.Random(f"mark {case.victim} {case.wanted}")
        part = chance.sample(case.mixed_pool, ATTACK_EVENTS)
        lines = [
            _sent(one, case.wanted, unit=f"attacker-{place % names}", key=key, window=window)
            for place, one in enumerate(part)
        ]
        return [{**line, "input": mark(str(line["input"]))} for line in lines]

    return send


def _moved_labels(case: PoisoningCase, window: int, _: Sequence[Line]) -> list[Line]:
    """Each intent answered with its neighbour in the list of intents."""
    moved = dict(zip(case.deployed, (*case.deployed[1:], case.deployed[0]), strict=True))
    return [
        _sent(one, moved.get(one.intent, case.wanted), key=ATTACKER_KEY, window=window)
        for one in (*case.mixed_pool, *case.attack_pool)
    ]


def mark(text: str) -> str:
    """The text with the attacker's mark."""
    return f"{text} {MARK}"


def _marked_bystanders(case: PoisoningCase) -> list[str]:
    return [mark(one.text) for one in case.bystanders]


ATTACKS: Final = (
    AttackPlan("one unit", "one user, all lies", _lies(1, APP_KEY)),
    AttackPlan("no unit ids", "own key, no unit ids", _lies(0, ATTACKER_KEY)),
    AttackPlan(
        "no unit ids at all", "one key, and nobody is named", _lies(0, APP_KEY), unnamed=True
    ),
    AttackPlan("many unit ids", f"own key, {NAMES} names", _lies(NAMES, ATTACKER_KEY)),
    AttackPlan(
        "many unit ids, one key",
        f"{NAMES} names behind the key of the honest users",
        _lies(NAMES, APP_KEY),
    ),
    AttackPlan(
        "a name for each lie, one key",
        "more names than honest users, behind their key",
        _lies(ATTACK_EVENTS, APP_KEY),
        attainable=False,
    ),
    AttackPlan(
        "environment",
        "own key, no unit ids, `source: environment`",
        _lies(0, ATTACKER_KEY, feedback_source="environment"),
    ),
    AttackPlan("future times", "other answers to known and rated inputs, dated 9999", _last_word),
    AttackPlan(
        "slow drip",
        f"{DRIP_EVENTS} lies a window, each time by another user",
        _drip,
        windows=DRIP_WINDOWS,
    ),
    AttackPlan(
        "near-miss labels",
        "one user, lies that name the likest intent",
        _lies(1, APP_KEY, "near"),
        aim=lambda case: case.near,
    ),
    AttackPlan(
        "marked text",
        "one user, requests of all intents with a mark",
        _marked(1, APP_KEY),
        targeted=_marked_bystanders,
    ),
    AttackPlan(
        "marked text, many unit ids",
        f"own key, {NAMES} names, requests with a mark",
        _marked(NAMES, ATTACKER_KEY),
        targeted=_marked_bystanders,
    ),
    AttackPlan(
        "refused, then honest",
        "a window of moved labels, then an honest one",
        _moved_labels,
        targeted=lambda case: [one.text for one in case.held_out if one.intent in case.deployed],
        alone_first=True,
    ),
)


def _sent(
    request: IntentRequest,
    right: str,
    *,
    unit: str = "",
    key: str = APP_KEY,
    window: int = 0,
    feedback_source: str = "user",
) -> Line:
    line = feedback_line(request, right, unit=unit)
    return {
        **line,
        "id": f"{window}/{key}/{request.id}",
        "feedback_source": feedback_source,
        "submitted_by": key,
        "occurred_at": "2026-11-30T00:00:00Z",
        "received_at": f"2026-11-30T{window:02}:00:00Z",
    }


def _nearest_intent(texts: Mapping[str, Sequence[str]], victim: str, intents: Sequence[str]) -> str:
    """By the cosine of their counts of words."""
    counts = {name: Counter(" ".join(texts[name]).split()) for name in intents}

    def cosine(name: str) -> float:
        mine, theirs = counts[victim], counts[name]
        length = (sum(n * n for n in theirs.values()) * sum(n * n for n in mine.values())) ** 0.5
        return float(sum(mine[word] * theirs[word] for word in mine) / length)

    return max((name for name in intents if name != victim), key=cosine)
