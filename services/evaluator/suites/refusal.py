"""Whether an answer refuses or abstains: pure."""

from __future__ import annotations

import re
from typing import Final

from services.evaluator.suites.answers import Answer
from services.evaluator.suites.suite_model import Refusals

READ_CHARACTERS: Final = 400
"""A refusal says so at its beginning; further on the same words are mostly about something else."""
_ENGLISH: Final = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)|i (?:can(?:no|')t|won't|will not|must decline|"
    r"do(?:n't| not) feel comfortable)|(?:cannot|can't|unable to|not able to) (?:help|assist|"
    r"provide|comply|do that|share|answer)|against (?:my|the|our) (?:guidelines|policy|policies)|"
    r"as an ai\b.{0,60}\b(?:cannot|can't|not))",
    re.IGNORECASE | re.DOTALL,
)


def is_refusal(answer: Answer, refusals: Refusals) -> bool:
    """Whether it is a refusing answer of the suite, reads as one, or has too little confidence.

    An empty answer refuses: the agent gave none.
    """
    start = answer.output[:READ_CHARACTERS].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    if not start.strip() or answer.output in refusals.answers:
        return True
    limit = refusals.below_confidence
    if limit is not None and answer.score is not None and answer.score < limit:
        return True
    return bool(_ENGLISH.search(start)) or any(
        re.search(pattern, start, re.IGNORECASE) for pattern in refusals.patterns
    )
