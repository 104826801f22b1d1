"""How good an answer was, as one number, whatever kind of feedback says so."""

from __future__ import annotations


def outcome_of(
    *, is_right: bool | None, reward: float | None, rating: float | None
) -> float | None:
    """The outcome of a scored answer from 0 (bad) to 1 (good); None: it is not scored.

    A correction outweighs a reward, and a reward a rating: `is_right` says whether the expected
    answer is the one that was given (None: there is no expected one), `reward` is from -1 to 1,
    `rating` from 1 to 5 stars.
    """
    if is_right is not None:
        return float(is_right)
    if reward is not None:
        return (reward + 1) / 2
    return None if rating is None else (rating - 1) / 4
