"""How long to wait before a component that died is started again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles from `first_seconds` to `longest_seconds`; a long healthy life starts it anew."""

    first_seconds: float = 0.2
    longest_seconds: float = 10.0
    healthy_seconds: float = 30.0

    def next_failures(self, failures: int, lived_seconds: float) -> int:
        """Count the failure of a process that lived so long, on top of `failures` in a row."""
        return 1 if lived_seconds >= self.healthy_seconds else failures + 1

    def delay_seconds(self, failures: int) -> float:
        """Say how long to wait after `failures` (one at least) in a row."""
        # The exponent is capped: a power of thousands would not fit a float.
        return float(min(self.longest_seconds, self.first_seconds * 2 ** min(failures - 1, 16)))
