"""What was sent, written down before anything could lose it, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


class ClientLog:
    """One event id a line. `intend` before sending, `acknowledge` after the broker's answer."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", buffering=1)

    def intend(self, event_id: object) -> None:
        """About to be sent: it may or may not arrive."""
        self._file.write(f"? {event_id}\n")

    def acknowledge(self, event_id: object) -> None:
        """The broker has it: from here on it must not be lost."""
        self._file.write(f"+ {event_id}\n")

    def close(self) -> None:
        """No more is written."""
        self._file.close()


def read_client_log(path: Path) -> tuple[set[str], set[str]]:
    """The ids that were intended, and those that were acknowledged."""
    intended, acknowledged = set(), set()
    for line in path.read_text().splitlines():
        mark, event_id = line.split(" ", 1)
        (acknowledged if mark == "+" else intended).add(event_id)
    return intended, acknowledged


@dataclass(frozen=True, slots=True)
class Account:
    """The balance of one scenario. Nothing may be lost, nothing double, nothing from nowhere."""

    sent: int
    stored: int
    effects: int
    quarantined: int
    lost: int
    double: int
    unknown: int

    @property
    def balanced(self) -> bool:
        """Whether the guarantees held."""
        return not (self.lost or self.double or self.unknown)

    def __add__(self, other: Account) -> Account:
        """The balance of two systems that know nothing of each other."""
        mine, theirs = asdict(self), asdict(other)
        return Account(**{name: value + theirs[name] for name, value in mine.items()})

    def __str__(self) -> str:
        return " / ".join(f"{value} {name}" for name, value in asdict(self).items())


def balance(
    client_log: tuple[set[str], set[str]],
    *,
    stored: Iterable[str],
    used: Iterable[str],
    quarantined: Iterable[str],
) -> Account:
    """Compare the client log with what the system holds.

    `stored` are ids of feedback rows, `used` those in claimed windows (one entry a use),
    `quarantined` those of dead letters; what is both stored and set aside is double. An id that was
    intended but never acknowledged may be anywhere or nowhere.
    """
    intended, acknowledged = client_log
    stored_counts, used_counts = Counter(stored), Counter(used)
    letters = Counter(quarantined)
    aside = set(letters)
    arrived = set(stored_counts) | aside
    twice = sum(n - 1 for counts in (stored_counts, used_counts, letters) for n in counts.values())
    both = len(set(stored_counts) & aside)
    return Account(
        sent=len(acknowledged),
        stored=len(stored_counts),
        effects=len(used_counts),
        quarantined=len(aside),
        lost=len(acknowledged - arrived),
        double=twice + both,
        unknown=len(arrived - intended - acknowledged),
    )


def failure_bound(trials: int) -> float:
    """The 95 % upper bound of a failure rate after 0 failures in `trials` (the rule of three)."""
    return 3 / trials
