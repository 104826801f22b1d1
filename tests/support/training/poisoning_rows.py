"""One attack on one agent: how often it works, and what honest users lose by its being there."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from archon_contracts.values import TrustPolicy
from tests.support.data.attacks import (
    ATTACKS,
    AttackPlan,
    Line,
    PoisoningCase,
    make_case,
    make_honest_window,
)
from tests.support.training.simulated_agent import FrozenEncoder, SimulatedAgent

LARGEST_SUCCESS = 0.05
"""Of the targeted requests, beyond those that get the attacker's answer without an attacker."""
LARGEST_LOSS = 0.02
"""Of honest accuracy, beside the run without the attacker."""


class LearningWay(StrEnum):
    """How an agent learns the same events."""

    WINDOW = "window"
    FAST_PATH = "fast path"
    """As corrections, by updates in the order of their arrival; the window after them learns the
    same events. An attack counts in each of the newest versions."""


@dataclass(frozen=True, slots=True)
class PoisoningRow:
    """An attack on an agent with trust, beside the same windows without the attacker."""

    attack: AttackPlan
    way: LearningWay
    suite: bool
    success: float
    untrusted_success: float
    """The same with trust switched off."""
    honest_accuracy: float
    accuracy: float
    deployed: int
    """Versions deployed; `honest_deployed` without the attacker."""
    honest_deployed: int

    @property
    def lost(self) -> float:
        """Accuracy that honest users lose by the attack."""
        return self.honest_accuracy - self.accuracy

    @property
    def holds(self) -> bool:
        """Whether both bounds hold."""
        return self.success < LARGEST_SUCCESS and self.lost <= LARGEST_LOSS


@dataclass(frozen=True, slots=True)
class _Ended:
    success: float
    accuracy: float
    deployed: int


def run_rows(
    encoder: FrozenEncoder,
    path: Path,
    prefix: str,
    seed: int,
    attacks: Sequence[AttackPlan] = ATTACKS,
    suites: Sequence[bool] = (True, False),
    way: LearningWay = LearningWay.WINDOW,
) -> Iterator[PoisoningRow]:
    """Each attack on an agent with a suite and on one without, which has no fast path."""
    for suite in suites:
        honest: dict[tuple[int, bool], tuple[SimulatedAgent, int]] = {}
        for attack in attacks:
            case = make_case(path, prefix, seed, windows=attack.windows)
            run = _Run(encoder, case, attack, seed, suite, way)
            same = (attack.windows, attack.unnamed)
            if same not in honest:
                honest[same] = run.learn(TrustPolicy(), poisoned=False)
            agent, deployed = honest[same]
            without = run.end(agent, deployed)
            poisoned = run.end(*run.learn(TrustPolicy(), poisoned=True))
            untrusted = run.end(*run.learn(TrustPolicy(enabled=False), poisoned=True))
            yield PoisoningRow(
                attack,
                way,
                suite,
                success=poisoned.success - without.success,
                untrusted_success=untrusted.success - without.success,
                honest_accuracy=without.accuracy,
                accuracy=poisoned.accuracy,
                deployed=poisoned.deployed,
                honest_deployed=deployed,
            )


@dataclass(frozen=True, slots=True)
class _Run:
    encoder: FrozenEncoder
    case: PoisoningCase
    attack: AttackPlan
    seed: int
    suite: bool
    way: LearningWay

    def learn(self, trust: TrustPolicy, *, poisoned: bool) -> tuple[SimulatedAgent, int]:
        """The agent after all windows, and how many versions were deployed."""
        case, attack = self.case, self.attack
        agent = SimulatedAgent(
            self.encoder, case.labels, self.seed, case.held_out if self.suite else ()
        )
        agent.learn_first(case.first)
        deployed = 0
        if poisoned and attack.alone_first:
            self._learn(agent, attack.send(case, 0, ()), trust)
        for number in range(attack.windows):
            honest = self._honest(agent, number)
            beside = poisoned and not attack.alone_first
            window = [*honest, *(attack.send(case, number, honest) if beside else ())]
            deployed += self._learn(agent, window, trust)
        return agent, deployed

    def _learn(self, agent: SimulatedAgent, window: Sequence[Line], trust: TrustPolicy) -> int:
        """Versions that came of a window's events."""
        match self.way:
            case LearningWay.FAST_PATH:
                arrived = random.Random(self.seed).sample(window, len(window))
                deployed = agent.learn_updates(arrived, trust)
                return deployed + agent.learn_window(window, trust).deployed
            case LearningWay.WINDOW:
                return agent.learn_window(window, trust).deployed

    def end(self, agent: SimulatedAgent, deployed: int) -> _Ended:
        """What the agent answers in the end."""
        texts = list(self.attack.targeted(self.case))
        aim = self.attack.aim(self.case)
        if self.way is LearningWay.FAST_PATH:
            got = agent.most_frequent(aim, texts)
        else:
            got = sum(answer == aim for answer in agent.answers(texts)) / len(texts)
        return _Ended(got, agent.accuracy(self.case.held_out), deployed)

    def _honest(self, agent: SimulatedAgent, number: int) -> list[Line]:
        pool = self.case.pools[number]
        answers = agent.answers([one.text for one in pool])
        predicted = {one.id: answer for one, answer in zip(pool, answers, strict=True)}
        lines = make_honest_window(self.case, number, predicted, self.seed)
        return [{**line, "unit": ""} for line in lines] if self.attack.unnamed else lines
