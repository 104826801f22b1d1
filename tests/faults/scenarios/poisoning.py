"""T1: a user who teaches the agent wrong answers, on real requests and a pretrained model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import TrustPolicy
from tests.faults.accounting.client_log import Account
from tests.faults.scenario import Context, ScenarioResult
from tests.support.data.intents import (
    DATA_FILE,
    IntentScenario,
    make_attack,
    make_feedback,
    make_scenario,
    with_predictions,
)
from tests.support.data.real_data import RealData
from tests.support.training.retraining import Retrained, RetrainingRun

LARGEST_SUCCESS = 0.05
# Else the attack is too weak to show anything. A closed-form head learns fewer of the lies than
# fine-tuning did, where the limit was 0.5 (decision 74).
LEAST_SUCCESS_UNTRUSTED = 0.2
MARGIN = 0.03  # of accuracy: what honest feedback may lose by the attack's being there
SCENARIOS_PER_REJECTION = 5  # one in so many may have honest feedback that no gate lets through
DISTRUST = TrustPolicy(enabled=False)


@dataclass(frozen=True, slots=True)
class Arm:
    """One retrain: what the deployed model does with requests of the targeted intent."""

    name: str
    retrained: Retrained
    success: float
    candidate_success: float

    def accuracy(self, group: str) -> float:
        """Of the candidate, on held-out requests."""
        return self.retrained.report.estimates_of(ACCURACY)["candidate"][group].value

    @property
    def deployed_accuracy(self) -> float:
        """Of the version before, on the intents it knew."""
        return self.retrained.report.estimates_of(ACCURACY)["deployed"]["old"].value

    def __str__(self) -> str:
        gate = "passed" if self.retrained.report.passed else "refused"
        return (
            f"attack {self.success:.0%} (candidate {self.candidate_success:.0%}, gate {gate}), "
            f"old {self.accuracy('old'):.3f}, new {self.accuracy('new'):.3f}"
        )


class Attack:
    """One scenario: a deployed agent, its window, and retrains with and without the attacker."""

    def __init__(self, folder: Path, scenario: IntentScenario, seed: int) -> None:
        self._scenario = scenario
        self._shop = RetrainingRun(folder, scenario.labels, seed)
        suite = self._shop.write_suite("suite", scenario.held_out, scenario.group)
        self._deployed = self._shop.first_version(scenario.first, suite)
        predictions = self._shop.answers(
            "pool", self._deployed, [*scenario.pool, *scenario.attack_pool]
        )
        self.honest = make_feedback(scenario, with_predictions(scenario.pool, predictions), seed)
        self._attack_requests = with_predictions(scenario.attack_pool, predictions)
        self._before = self._success("first", self._deployed)

    def poison(self, units: int = 1) -> list[dict[str, object]]:
        """The attacker's feedback events, under so many names."""
        return make_attack(self._scenario, self._attack_requests, units)

    def arm(self, name: str, window: Sequence[dict[str, object]], trust: TrustPolicy) -> Arm:
        """Retrain on a window, and ask the model about the targeted intent."""
        retrained = self._shop.retrain(name, window, self._deployed, trust)
        wanted = self._success(name, retrained.model)
        deployed = wanted if retrained.report.passed else self._before
        return Arm(name, retrained, deployed, wanted)

    def _success(self, name: str, model: Path) -> float:
        """The proportion of held-out requests of the targeted intent with the attacker's answer."""
        predictions = self._shop.answers(f"{name}-victims", model, self._scenario.victims)
        return sum(answer == self._scenario.wanted for answer in predictions.values()) / len(
            predictions
        )


class Poisoning:
    """Wrong corrections of one user, a fifth of the window, are quarantined; the rest teaches."""

    id = "T1"
    what = "one user sends a fifth of a window with wrong corrections of one intent"

    async def run(self, context: Context) -> ScenarioResult:
        path = RealData().test_data / DATA_FILE
        if not path.is_file():
            return _not_possible()
        scenarios = context.size(short=1, long=5)
        seeds = [context.seed * 100 + number for number in range(scenarios)]
        ended = [
            await asyncio.to_thread(_run_arms, context.folder / str(seed), path, seed, context.long)
            for seed in seeds
        ]
        window = ended[0][0].retrained.prepared.quality.received
        return ScenarioResult(
            account=_account([arms[1] for arms in ended]),
            load=f"{scenarios} windows of {window} real feedback events, 20 % of them an attack",
            faults=scenarios,
            survived=sum(not _problems(*arms[:3]) for arms in ended),
            trials=scenarios,
            problems=(
                *(problem for arms in ended for problem in _problems(*arms[:3])),
                *_find_too_many_rejected([arms[0] for arms in ended]),
            ),
            facts={
                f"{seed}/{arm.name}": str(arm)
                for seed, arms in zip(seeds, ended, strict=True)
                for arm in arms
            },
        )


def _run_arms(folder: Path, path: Path, seed: int, long: bool) -> list[Arm]:
    folder.mkdir()
    attack = Attack(folder, make_scenario(path, seed), seed)
    honest, poison = attack.honest, attack.poison()
    arms = [
        attack.arm("honest", honest, TrustPolicy()),
        attack.arm("poisoned", [*honest, *poison], TrustPolicy()),
        attack.arm("untrusted", [*honest, *poison], DISTRUST),
    ]
    if long:  # what no single window can distinguish from a change of mind; reported, not asked for
        arms += [
            attack.arm(f"{n}-names", [*honest, *attack.poison(n)], TrustPolicy()) for n in (3, 12)
        ]
    return arms


def _problems(honest: Arm, poisoned: Arm, untrusted: Arm) -> list[str]:
    found = []
    if max(poisoned.success, poisoned.candidate_success) >= LARGEST_SUCCESS:
        found.append(f"the attack succeeds in {poisoned.candidate_success:.0%} of requests")
    if untrusted.candidate_success < LEAST_SUCCESS_UNTRUSTED:
        found.append(f"without trust it succeeds in {untrusted.candidate_success:.0%} only")
    taught = honest.retrained.report.passed  # else the gate has its reason without the attacker
    if taught and not poisoned.retrained.report.passed:
        found.append("the gate refuses what honest feedback taught")
    for group in ("old", "new"):
        if poisoned.accuracy(group) < honest.accuracy(group) - MARGIN:
            found.append(f"{group} accuracy is {honest.accuracy(group):.3f} without the attacker")
    if taught and poisoned.accuracy("old") < poisoned.deployed_accuracy - MARGIN:
        found.append(f"old accuracy was {poisoned.deployed_accuracy:.3f} before")
    return found


def _find_too_many_rejected(honest: Sequence[Arm]) -> list[str]:
    """A scenario whose honest feedback is refused does not show what trust lets through."""
    refused = sum(not arm.retrained.report.passed for arm in honest)
    if refused <= len(honest) // SCENARIOS_PER_REJECTION:
        return []
    return [f"honest feedback alone is refused in {refused} of {len(honest)} scenarios"]


def _account(arms: Sequence[Arm]) -> Account:
    """Every feedback event is used, quarantined or counted as dropped."""
    reports = [arm.retrained.prepared.quality for arm in arms]
    sent = sum(report.received for report in reports)
    quarantined = sum(report.quarantined for report in reports)
    out = sum(r.unusable + r.duplicates + r.conflicting + r.held_out for r in reports)
    used = sum(report.by_source["feedback"] for report in reports)
    lost = sent - used - quarantined - out
    return Account(sent, used + out, used, quarantined, lost, 0, 0)


def _not_possible() -> ScenarioResult:
    return ScenarioResult.of_nothing(f"{DATA_FILE} is not here; ARCHON_TEST_DATA names its folder")
