"""What is known of an arm: counts and sums, which may be added in any order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Scored answers of one arm, each an outcome from 0 (wrong) to 1 (right).

    `squares` is the sum of squared outcomes; it equals `total` where all are 0 or 1.
    """

    count: float = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of_binary(cls, count: float, successes: float) -> Outcomes:
        """Outcomes of 0 and 1 alone."""
        return cls(count, successes, successes)

    def __add__(self, other: Outcomes) -> Outcomes:
        return Outcomes(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    def __sub__(self, other: Outcomes) -> Outcomes:
        return Outcomes(
            self.count - other.count, self.total - other.total, self.squares - other.squares
        )

    @property
    def mean(self) -> float:
        """Mean outcome; 0 where there is none."""
        # The smallest addend that no count feels: arrays have no branch for zero.
        return self.total / (self.count + 1e-12)

    @property
    def spread(self) -> float:
        """Sum of squared deviations from the arm's mean."""
        return self.squares - self.total * self.mean

    def smoothed_mean(self, added: float) -> float:
        """Mean with `added` more outcomes of 0 and as many of 1: never 0 nor 1."""
        return (self.total + added) / (self.count + 2 * added)


NO_OUTCOMES = Outcomes()


def square_root(value: float) -> float:
    """Of a number, or of each of an array."""
    root: float = value**0.5
    return root
