"""What the answers of two arms decide, by `services.registry.statistics`.

An experiment has one alpha for every false winner. Four fifths of it are for calling the candidate
better, which changes what everybody gets; a tenth for calling it worse, which only ends the
experiment early, as futility would later. The rest is held back: the lead is normal for large
samples only, and of arms that are right in half of their answers it exceeds its critical value a
fifth more often than it should.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from services.registry.statistics.futility import is_futile
from services.registry.statistics.outcomes import Outcomes
from services.registry.statistics.repeated_test import (
    boundary,
    lowest_critical_value,
    signed_deviance_root,
)

PROMOTION_PART: Final = 0.8
"""Part of alpha for a candidate that is called better."""
HARM_PART: Final = 0.1
"""Part of alpha for one that is called worse."""
FEWEST_ANSWERS: Final = 20
"""Scored answers before the asymptotic test is looked at; harm may be shown earlier."""


class Finding(StrEnum):
    """What the answers say of the candidate so far."""

    OPEN = "open"
    BETTER = "better"
    WORSE = "worse"
    FUTILE = "futile"  # no difference that the experiment could still show


@dataclass(frozen=True)
class ExperimentDesign:
    """The error rate and the length of an experiment, fixed before its first answer.

    `alpha` bounds the probability that two equal arms get a winner; `last` are the scored answers
    of both arms after which it ends.
    """

    alpha: float
    last: int

    @cached_property
    def last_critical_value(self) -> float:
        """The lead, in standard normal units, with which the candidate wins at the last look."""
        return lowest_critical_value(self.alpha * PROMOTION_PART, FEWEST_ANSWERS, self.last)

    def critical_value(self, seen: float, log: Callable[[float], float] = math.log) -> float:
        """The same after `seen` answers, `FEWEST_ANSWERS` at least."""
        return boundary(self.last_critical_value, seen, FEWEST_ANSWERS, self.last, log=log)

    @cached_property
    def harm_log_e(self) -> float:
        """Logarithm of the evidence with which the candidate loses at any look."""
        return -math.log(self.alpha * HARM_PART)


@dataclass(frozen=True, slots=True)
class ExperimentEvidence:
    """What is known at one look; each is a truth value, or an array of them."""

    lead: float
    is_better: bool
    is_worse: bool
    is_futile: bool

    def decide(self) -> Finding:
        """The finding; harm comes first."""
        if self.is_worse:
            return Finding.WORSE
        if self.is_better:
            return Finding.BETTER
        return Finding.FUTILE if self.is_futile else Finding.OPEN


def weigh(
    design: ExperimentDesign,
    control: Outcomes,
    treatment: Outcomes,
    log_harm: float,
    log: Callable[[float], float] = math.log,
) -> ExperimentEvidence:
    """The evidence of an experiment's answers; `log_harm` is that of its `HarmProcess`."""
    seen = control.count + treatment.count
    # Without an answer there is no look, and no logarithm.
    critical_value = design.critical_value(seen + 1e-9, log)
    lead = signed_deviance_root(control, treatment, log)
    asymptotic = (seen >= FEWEST_ANSWERS) & (seen <= design.last)
    hopeless = is_futile(control, treatment, lead, design.last_critical_value, design.last)
    return ExperimentEvidence(
        lead,
        is_better=(lead >= critical_value) & asymptotic,
        is_worse=log_harm >= design.harm_log_e,
        is_futile=hopeless | (seen >= design.last),
    )


@dataclass(frozen=True)
class RegressionDesign:
    """How a deployed version is compared with the one before it: `last` are its own answers.

    `alpha` bounds the probability that a version as good as the one before is rolled back.
    """

    alpha: float
    last: int

    @cached_property
    def critical_value(self) -> float:
        """The lag, in standard normal units, with which it is rolled back at any look."""
        return lowest_critical_value(self.alpha, FEWEST_ANSWERS, self.last, rise=0.0)

    def shows_regression(
        self, before: Outcomes, now: Outcomes, log: Callable[[float], float] = math.log
    ) -> bool:
        """Whether the mean outcome fell. Both have had `FEWEST_ANSWERS`, or nothing is shown."""
        lag = -signed_deviance_root(before, now, log)
        enough = (before.count >= FEWEST_ANSWERS) & (now.count >= FEWEST_ANSWERS)
        return (lag >= self.critical_value) & enough & (now.count <= self.last)
