"""What a scenario is: a fault or an input, its load, and what became of every event."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.faults.accounting.client_log import Account, failure_bound


@dataclass(frozen=True, slots=True)
class Context:
    """What a scenario receives: a folder of its own, its seed, and whether to go to full length."""

    id: str
    folder: Path
    seed: int
    long: bool = False

    def size(self, *, short: int, long: int) -> int:
        """The load or count of faults for this run."""
        return long if self.long else short

    def random(self) -> random.Random:
        """The scenario's choices: the same for the same seed."""
        return random.Random(f"{self.id}/{self.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """The balance, how many faults there were and were survived, and what else was seen.

    `trials` is what the failure bound is for: events, or runs where a run is the unit.
    """

    account: Account
    load: str
    faults: int
    survived: int
    trials: int
    problems: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    not_run: str = ""
    """Why it could not be tried here; then it has neither passed nor failed."""

    @classmethod
    def of_nothing(cls, why: str) -> ScenarioResult:
        """Of a scenario that cannot be tried here."""
        nothing = Account(0, 0, 0, 0, 0, 0, 0)
        return cls(
            account=nothing, load=f"not run: {why}", faults=0, survived=0, trials=0, not_run=why
        )

    @property
    def passed(self) -> bool:
        """Whether every guarantee held, and was tried."""
        return (
            not self.not_run
            and self.account.balanced
            and self.faults == self.survived
            and not self.problems
        )

    @property
    def bound(self) -> float | None:
        """The 95 % upper bound of the failure rate, where nothing failed and it says something."""
        return failure_bound(self.trials) if self.passed and self.trials > 3 else None


class Scenario(Protocol):
    """One line of the acceptance table."""

    id: str
    what: str

    async def run(self, context: Context) -> ScenarioResult:
        """Do the damage, wait for quiet, and draw up the balance."""
        ...
