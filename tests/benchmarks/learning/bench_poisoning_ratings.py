"""Poisoning of ratings: how often false ratings work, and what honest users lose by them.

An agent knows one request of each of its intents; it answers six more of each, and their users rate
its answers: 5 stars where right, 1 where wrong, never a correction. Beside these 360 ratings stand
an attacker's 40, all of one intent (`victim`): praise for wrong answers, or complaints about right
ones. What the agent is said to have answered is the attacker's word. Bounds, agents and words are
those of `bench_poisoning`; the success of a complaint is the proportion of the victim's requests
that are answered right no more. The agent has a suite, without which no window of ratings alone
shows a gain that lets it be deployed. Windows only: the fast path learns corrections.
"""

import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archon_contracts.values import TrustPolicy
from tests.benchmarks.harness import Figure
from tests.support.data.attacks import (
    APP_KEY,
    ATTACK_EVENTS,
    ATTACKER_KEY,
    NAMES,
    PER_UNIT,
    PoisoningCase,
    make_case,
)
from tests.support.data.intents import DATA_FILE, IntentRequest
from tests.support.data.real_data import RealData
from tests.support.training.poisoning_rows import LARGEST_LOSS, LARGEST_SUCCESS
from tests.support.training.simulated_agent import FrozenEncoder, SimulatedAgent

AGENTS, PREFIX = 8, "report"
INTENTS, KNOWN_EACH, RATED_EACH = 60, 3, 6
"""Of the agent; and of each the requests that the first version is taught, and that are answered
and rated. With more examples there is little left to learn from stars."""
GOOD, BAD = 5.0, 1.0
TINY = {"AGENTS": 1, "INTENTS": 8}

Line = dict[str, object]


@dataclass(frozen=True, slots=True)
class RatingAttack:
    """Who rates which answers how."""

    name: str
    key: str
    units: int
    """Users under whose names the attacker rates; none: no unit ids."""
    complaint: bool = False
    """1 star for right answers instead of 5 stars for wrong ones."""

    def send(self, case: PoisoningCase) -> list[Line]:
        """The attacker's part of the window."""
        answer, stars = (case.victim, BAD) if self.complaint else (case.wanted, GOOD)
        return [
            _rated(
                one,
                answer,
                stars,
                unit=f"attacker-{place % self.units}" if self.units else "",
                key=self.key,
            )
            for place, one in enumerate(case.attack_pool[:ATTACK_EVENTS])
        ]

    def success(self, agent: SimulatedAgent, case: PoisoningCase) -> float:
        """The proportion of the victim's held-out requests that are answered as the attacker
        wants."""
        answers = agent.answers([one.text for one in case.victims])
        hit: Callable[[str], bool] = case.victim.__ne__ if self.complaint else case.wanted.__eq__
        return statistics.fmean(map(hit, answers))


ATTACKS = (
    RatingAttack("praise, one unit", APP_KEY, 1),
    RatingAttack("praise, no unit ids", ATTACKER_KEY, 0),
    RatingAttack("praise, many unit ids", ATTACKER_KEY, NAMES),
    RatingAttack("praise, many unit ids, one key", APP_KEY, NAMES),
    RatingAttack("complaints, one unit", APP_KEY, 1, complaint=True),
    RatingAttack("complaints, many unit ids", ATTACKER_KEY, NAMES, complaint=True),
    RatingAttack("complaints, many unit ids, one key", APP_KEY, NAMES, complaint=True),
)


@dataclass(frozen=True, slots=True)
class RatedAttack:
    """One attack on one agent."""

    success: float
    untrusted_success: float
    lost: float
    gained: float
    """Accuracy that the honest ratings alone give."""

    @property
    def holds(self) -> bool:
        """Whether both bounds hold."""
        return self.success < LARGEST_SUCCESS and self.lost <= LARGEST_LOSS


def run() -> list[Figure]:
    """Run every attack on each agent."""
    encoder, path = FrozenEncoder(), RealData().test_data / DATA_FILE
    found: defaultdict[str, list[RatedAttack]] = defaultdict(list)
    for seed in range(AGENTS):
        case = make_case(path, PREFIX, seed, known=INTENTS)
        for attack, outcome in _measure(encoder, case, seed):
            found[attack.name].append(outcome)
            print(
                f"{attack.name}, agent {seed}: {outcome.success:.3f} of the targeted "
                f"({outcome.untrusted_success:.3f} without trust), {outcome.lost:.3f} lost, "
                f"{outcome.gained:.3f} gained by honest ratings",
                flush=True,
            )
    return [figure for name, outcomes in found.items() for figure in _figures(name, outcomes)]


def _measure(
    encoder: FrozenEncoder, case: PoisoningCase, seed: int
) -> list[tuple[RatingAttack, RatedAttack]]:
    deployed = set(case.deployed)
    held_out = [one for one in case.held_out if one.intent in deployed]
    first, answered = _parts(case)

    def learn(lines: Sequence[Line], trust: TrustPolicy) -> SimulatedAgent:
        agent = SimulatedAgent(encoder, sorted(deployed), seed, held_out)
        agent.learn_first(first)
        if lines:
            agent.learn_window(lines, trust)
        return agent

    before = learn((), TrustPolicy())
    honest_lines = _honest(before, answered, seed)
    honest = learn(honest_lines, TrustPolicy())
    gained = honest.accuracy(held_out) - before.accuracy(held_out)
    found = []
    for attack in ATTACKS:
        window = random.Random(seed).sample(both := [*honest_lines, *attack.send(case)], len(both))
        poisoned = learn(window, TrustPolicy())
        untrusted = learn(window, TrustPolicy(enabled=False))
        without = attack.success(honest, case)
        outcome = RatedAttack(
            attack.success(poisoned, case) - without,
            attack.success(untrusted, case) - without,
            honest.accuracy(held_out) - poisoned.accuracy(held_out),
            gained,
        )
        found.append((attack, outcome))
    return found


def _parts(case: PoisoningCase) -> tuple[list[IntentRequest], list[IntentRequest]]:
    """What the first version is taught, and what is answered later."""
    first, answered = list[IntentRequest](), list[IntentRequest]()
    for intent in case.deployed:
        of_intent = [one for one in case.first if one.intent == intent]
        first += of_intent[:KNOWN_EACH]
        answered += of_intent[KNOWN_EACH : KNOWN_EACH + RATED_EACH]
    return first, answered


def _honest(agent: SimulatedAgent, requests: Sequence[IntentRequest], seed: int) -> list[Line]:
    """What the users think of the agent's own answers; four ratings a user."""
    mixed = random.Random(f"ratings {seed}").sample(requests, len(requests))
    answers = agent.answers([one.text for one in mixed])
    return [
        _rated(
            one,
            answer,
            GOOD if answer == one.intent else BAD,
            unit=f"user-{place // PER_UNIT}",
            key=APP_KEY,
        )
        for place, (one, answer) in enumerate(zip(mixed, answers, strict=True))
    ]


def _rated(request: IntentRequest, answer: str, stars: float, *, unit: str, key: str) -> Line:
    return {
        "id": f"{key}/{request.id}",
        "input": request.text,
        "actual": answer,
        "rating": stars,
        "source": "feedback",
        "feedback_source": "user",
        "unit": unit,
        "submitted_by": key,
        "occurred_at": "2026-11-30T00:00:00Z",
        "received_at": "2026-11-30T00:00:00Z",
    }


def _figures(name: str, outcomes: Sequence[RatedAttack]) -> list[Figure]:
    success = [100 * each.success for each in outcomes]
    lost = [100 * each.lost for each in outcomes]
    untrusted = statistics.fmean(100 * each.untrusted_success for each in outcomes)
    gained = statistics.fmean(100 * each.gained for each in outcomes)
    return [
        Figure(
            name=f"{name}: agents of {len(outcomes)} where both bounds hold (without trust the "
            f"attack reaches {untrusted:.0f} %; honest ratings gain {gained:.1f} points)",
            figure=sum(each.holds for each in outcomes),
            unit="agents",
            reach=len(outcomes),
        ),
        Figure(
            name=f"{name}: attack success, mean (worst {max(success):.1f} %)",
            figure=statistics.fmean(success),
            unit="%",
            reach=100 * LARGEST_SUCCESS,
            higher_is_better=False,
        ),
        Figure(
            name=f"{name}: honest accuracy lost, mean (worst {max(lost):.1f} points)",
            figure=statistics.fmean(lost),
            unit="points",
            reach=100 * LARGEST_LOSS,
            higher_is_better=False,
        ),
    ]
