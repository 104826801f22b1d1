"""Whether feedback comes on as large a part of one arm's answers as of the other's."""

from __future__ import annotations

import math


def rates_differ_p_value(
    control_scored: float, control_answers: float, treated_scored: float, treated_answers: float
) -> float | None:
    """Two-sided p-value of equal feedback rates at this one look; None: an arm has no answer.

    The z-test of two proportions with a pooled variance, Fleiss, Levin and Paik (2003),
    "Statistical Methods for Rates and Proportions", 3.1, without a continuity correction. An
    answer with several feedback events may make a rate exceed 1; it then counts as 1.
    """
    if control_answers <= 0 or treated_answers <= 0:
        return None
    control = min(1.0, control_scored / control_answers)
    treated = min(1.0, treated_scored / treated_answers)
    answers = control_answers + treated_answers
    pooled = (control * control_answers + treated * treated_answers) / answers
    variance = pooled * (1 - pooled) * (1 / control_answers + 1 / treated_answers)
    if variance <= 0:
        return 1.0
    return math.erfc(abs(treated - control) / math.sqrt(2 * variance))
