"""T1: a user who teaches the agent wrong answers, on real requests and a pretrained model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archon_contracts.values import TrustPolicy
from tests.faults.accounting.client_log import Account
from tests.faults.scenario import Context, Outcome
from tests.support.data.intents import DATA_FILE, Story, answered, attack, judgements, story
from tests.support.data.real_data import RealData
from tests.support.training.retraining import Retrained, Workshop

LARGEST_SUCCESS = 0.05
LEAST_SUCCESS_UNTRUSTED = 0.5  # else the attack is too weak to show anything
MARGIN = 0.03  # of accuracy: what honest feedback may lose by the attack's being there
STORIES_PER_REFUSAL = 5  # one in so many may have honest feedback that no gate lets through
DISTRUST = TrustPolicy(enabled=False)


@dataclass(frozen=True, slots=True)
class Arm:
    """One retrain: what the deployed model does with requests of the attacked intent."""

    name: str
    retrained: Retrained
    success: float
    candidate_success: float

    def accuracy(self, group: str) -> float:
        """Of the candidate, on held-out requests."""
        return self.retrained.findings.accuracy["candidate"][group].value

    @property
    def live_accuracy(self) -> float:
        """Of the version before, on the intents it knew."""
        return self.retrained.findings.accuracy["live"]["old"].value

    def __str__(self) -> str:
        gate = "passed" if self.retrained.findings.passed else "refused"
        return (
            f"attack {self.success:.0%} (candidate {self.candidate_success:.0%}, gate {gate}), "
            f"old {self.accuracy('old'):.3f}, new {self.accuracy('new'):.3f}"
        )


class Attack:
    """One story: a live agent, its window, and retrains with and without the attacker."""

    def __init__(self, folder: Path, told: Story, seed: int) -> None:
        self._told = told
        self._shop = Workshop(folder, told.labels, seed)
        suite = self._shop.write_suite("suite", told.held_out, told.group)
        self._live = self._shop.first_version(told.first, suite)
        said = self._shop.answers("pool", self._live, [*told.pool, *told.attacked])
        self.honest = judgements(told, answered(told.pool, said), seed)
        self._attacked = answered(told.attacked, said)
        self._before = self._success("first", self._live)

    def poison(self, units: int = 1) -> list[dict[str, object]]:
        """The attacker's judgements, under so many names."""
        return attack(self._told, self._attacked, units)

    def arm(self, name: str, window: Sequence[dict[str, object]], trust: TrustPolicy) -> Arm:
        """Retrain on a window, and ask the model about the attacked intent."""
        retrained = self._shop.retrain(name, window, self._live, trust)
        wanted = self._success(name, retrained.model)
        deployed = wanted if retrained.findings.passed else self._before
        return Arm(name, retrained, deployed, wanted)

    def _success(self, name: str, model: Path) -> float:
        """The share of held-out requests of the attacked intent with the attacker's answer."""
        said = self._shop.answers(f"{name}-victims", model, self._told.victims)
        return sum(answer == self._told.wanted for answer in said.values()) / len(said)


class Poisoning:
    """Wrong corrections of one user, a fifth of the window: they are held, the rest teaches."""

    id = "T1"
    what = "one user sends a fifth of a window with wrong corrections of one intent"

    async def run(self, context: Context) -> Outcome:
        path = RealData().test_data / DATA_FILE
        if not path.is_file():
            return _not_possible()
        stories = context.size(short=1, long=5)
        seeds = [context.seed * 100 + number for number in range(stories)]
        ended = [
            await asyncio.to_thread(_told, context.folder / str(seed), path, seed, context.long)
            for seed in seeds
        ]
        window = ended[0][0].retrained.prepared.quality.received
        return Outcome(
            account=_account([arms[1] for arms in ended]),
            load=f"{stories} windows of {window} real judgements, 20 % of them an attack",
            faults=stories,
            survived=sum(not _problems(*arms[:3]) for arms in ended),
            trials=stories,
            problems=(
                *(problem for arms in ended for problem in _problems(*arms[:3])),
                *_too_many_refused([arms[0] for arms in ended]),
            ),
            facts={
                f"{seed}/{arm.name}": str(arm)
                for seed, arms in zip(seeds, ended, strict=True)
                for arm in arms
            },
        )


def _told(folder: Path, path: Path, seed: int, long: bool) -> list[Arm]:
    folder.mkdir()
    story_of = Attack(folder, story(path, seed), seed)
    honest, poison = story_of.honest, story_of.poison()
    arms = [
        story_of.arm("honest", honest, TrustPolicy()),
        story_of.arm("attacked", [*honest, *poison], TrustPolicy()),
        story_of.arm("untrusted", [*honest, *poison], DISTRUST),
    ]
    if long:  # what no single window can tell from a change of mind; told, not asked for
        arms += [
            story_of.arm(f"{n}-names", [*honest, *story_of.poison(n)], TrustPolicy())
            for n in (3, 12)
        ]
    return arms


def _problems(honest: Arm, attacked: Arm, untrusted: Arm) -> list[str]:
    found = []
    if max(attacked.success, attacked.candidate_success) >= LARGEST_SUCCESS:
        found.append(f"the attack succeeds in {attacked.candidate_success:.0%} of requests")
    if untrusted.candidate_success < LEAST_SUCCESS_UNTRUSTED:
        found.append(f"without trust it succeeds in {untrusted.candidate_success:.0%} only")
    taught = honest.retrained.findings.passed  # else the gate has its reason without the attacker
    if taught and not attacked.retrained.findings.passed:
        found.append("the gate refuses what honest feedback taught")
    for group in ("old", "new"):
        if attacked.accuracy(group) < honest.accuracy(group) - MARGIN:
            found.append(f"{group} accuracy is {honest.accuracy(group):.3f} without the attacker")
    if taught and attacked.accuracy("old") < attacked.live_accuracy - MARGIN:
        found.append(f"old accuracy was {attacked.live_accuracy:.3f} before")
    return found


def _too_many_refused(honest: Sequence[Arm]) -> list[str]:
    """A story whose honest feedback is refused by itself does not show what trust lets through."""
    refused = sum(not arm.retrained.findings.passed for arm in honest)
    if refused <= len(honest) // STORIES_PER_REFUSAL:
        return []
    return [f"honest feedback alone is refused in {refused} of {len(honest)} stories"]


def _account(arms: Sequence[Arm]) -> Account:
    """Every judgement is used, held or counted out."""
    reports = [arm.retrained.prepared.quality for arm in arms]
    sent = sum(report.received for report in reports)
    held = sum(report.held for report in reports)
    out = sum(r.unusable + r.duplicates + r.conflicting + r.held_out for r in reports)
    used = sum(report.by_source["feedback"] for report in reports)
    lost = sent - used - held - out
    return Account(sent, used + out, used, held, lost, 0, 0)


def _not_possible() -> Outcome:
    return Outcome.of_nothing(f"{DATA_FILE} is not here; ARCHON_TEST_DATA names its folder")
