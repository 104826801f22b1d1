"""Real requests of a help desk with 150 intents (CLINC150), and a scenario of one agent with them.

The agent is deployed on some intents. In production its users meet these and some new ones; they
correct what it gets wrong and confirm some of what it gets right. One more user sends a fifth of
the window: requests of one intent, each "corrected" to one intent of another domain.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

DATA_FILE = "clinc150/clinc150_full.jsonl"
OUT_OF_SCOPE = "oos"
DEPLOYED, NEW = 16, 4
FIRST_EACH, POOL_EACH, NEW_EACH, SUITE_EACH = 12, 20, 10, 12
HONEST, ATTACK = 80, 20
PER_UNIT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRequest:
    """A request, what rightly answers it, and what the deployed agent predicted."""

    id: str
    text: str
    intent: str
    predicted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentScenario:
    """Who is asked what; sampled from a seed."""

    deployed: tuple[str, ...]
    new: tuple[str, ...]
    victim: str
    wanted: str
    first: tuple[IntentRequest, ...]
    pool: tuple[IntentRequest, ...]
    attack_pool: tuple[IntentRequest, ...]
    held_out: tuple[IntentRequest, ...]
    victims: tuple[IntentRequest, ...] = field(repr=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """All answers that the agent can give."""
        return tuple(sorted((*self.deployed, *self.new)))

    def group(self, request: IntentRequest) -> str:
        """Whether the first version was taught its intent."""
        return "new" if request.intent in self.new else "old"


def make_scenario(path: Path, seed: int, prefix: str = "story") -> IntentScenario:
    """Intents, requests and the attack; the same for the same seed and prefix."""
    chance = random.Random(f"{prefix} {seed}")
    learnable, testable, domain = sample_by_intent(path, chance)
    intents = sorted(learnable)
    chance.shuffle(intents)
    deployed, new = tuple(intents[:DEPLOYED]), tuple(intents[DEPLOYED : DEPLOYED + NEW])
    victim = chance.choice(deployed)
    wanted = chance.choice([name for name in deployed if domain[name] != domain[victim]])
    end = FIRST_EACH + POOL_EACH
    return IntentScenario(
        deployed=deployed,
        new=new,
        victim=victim,
        wanted=wanted,
        first=select_requests(learnable, deployed, 0, FIRST_EACH),
        pool=select_requests(learnable, deployed, FIRST_EACH, end)
        + select_requests(learnable, new, 0, NEW_EACH),
        attack_pool=select_requests(learnable, [victim], end, end + ATTACK),
        held_out=select_requests(testable, [*deployed, *new], 0, SUITE_EACH),
        victims=select_requests(testable, [victim], 0, None),
    )


def make_feedback(
    scenario: IntentScenario, answered: Sequence[IntentRequest], seed: int
) -> list[dict[str, object]]:
    """The honest part of the window: what is new, what was wrong, and some of what was right."""
    chance = random.Random(f"judgements {seed}")
    new = [one for one in answered if one.intent in scenario.new]
    old = [one for one in answered if one.intent not in scenario.new]
    wrong = [one for one in old if one.predicted != one.intent]
    right = [one for one in old if one.predicted == one.intent]
    selected = [*new, *wrong][:HONEST]
    selected += chance.sample(right, HONEST - len(selected))
    chance.shuffle(selected)
    return [
        feedback_line(one, one.intent, unit=f"user-{place // PER_UNIT}")
        for place, one in enumerate(selected)
    ]


def make_attack(
    scenario: IntentScenario, answered: Sequence[IntentRequest], units: int = 1
) -> list[dict[str, object]]:
    """The attacker's part, sent under so many names."""
    return [
        feedback_line(one, scenario.wanted, unit=f"attacker-{place % units}")
        for place, one in enumerate(answered)
    ]


def feedback_line(request: IntentRequest, right: str, *, unit: str) -> dict[str, object]:
    """A line of a feedback window."""
    return {
        "id": request.id,
        "input": request.text,
        "actual": request.predicted or None,
        "target": right,
        "source": "feedback",
        "feedback_source": "user",
        "unit": unit,
    }


def with_predictions(
    requests: Sequence[IntentRequest], predicted: Mapping[str, str]
) -> list[IntentRequest]:
    """The requests with the answers that they got."""
    return [replace(one, predicted=predicted[one.id]) for one in requests]


def sample_by_intent(
    path: Path, chance: random.Random
) -> tuple[dict[str, list[str]], dict[str, list[str]], dict[str, str]]:
    """Requests to learn from, to test with, each in a sampled order; and each intent's domain."""
    parts: dict[bool, defaultdict[str, list[str]]] = {
        True: defaultdict(list),
        False: defaultdict(list),
    }
    domain: dict[str, str] = {}
    for split, intent, text, of in _read_rows(path):
        if intent != OUT_OF_SCOPE:
            parts[split == "train"][intent].append(text)
            domain[intent] = of
    for part in parts.values():
        for name in sorted(part):
            chance.shuffle(part[name])
    return dict(parts[True]), dict(parts[False]), domain


@cache
def _read_rows(path: Path) -> tuple[tuple[str, str, str, str], ...]:
    """Split, intent, text and domain of each line; read once, since many windows are sampled."""
    rows = map(json.loads, path.read_text().splitlines())
    return tuple((row["split"], row["intent"], row["text"], row["domain"]) for row in rows)


def select_requests(
    texts: Mapping[str, Sequence[str]], intents: Sequence[str], start: int, end: int | None
) -> tuple[IntentRequest, ...]:
    """Requests of each intent by their places; an id says which."""
    return tuple(
        IntentRequest(id=f"{intent}/{start + number}", text=text, intent=intent)
        for intent in intents
        for number, text in enumerate(texts[intent][start:end])
    )
