"""Rules that a user adds to the gate: cases that must never regress, and bounds of drift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from archon_contracts.events import PairedComparison, RejectionKind
from archon_contracts.formats import PredictionRow

MAX_NAMED: Final = 5
"""Cases, answers or classes that a sentence names."""
ABSTAINED: Final = ""
"""The answer of a model that gives none."""


@dataclass(frozen=True, slots=True)
class NeverRegress:
    """No case of the user's choice may be wrong that the deployed version has right.

    Without statistics: one case is enough. `missing` are ids that the evaluation does not have.
    """

    regressed: tuple[str, ...]
    missing: tuple[str, ...]
    count: int
    rejection: ClassVar[RejectionKind] = RejectionKind.FORGETTING

    @classmethod
    def of(
        cls,
        ids: Sequence[str],
        candidate: Sequence[PredictionRow],
        control: Sequence[PredictionRow],
    ) -> NeverRegress:
        """The rule for the cases with these ids."""
        now = {row.id: row.correct for row in candidate}
        before = {row.id: row.correct for row in control}
        known = [each for each in ids if each in now]
        regressed = tuple(each for each in known if before.get(each) and not now[each])
        missing = tuple(each for each in ids if each not in now)
        return cls(regressed, missing, len(known))

    def find_faults(self, _comparisons: Mapping[str, Mapping[str, PairedComparison]]) -> list[str]:
        """The cases that regressed."""
        if not self.regressed:
            return []
        named = list_names(self.regressed)
        return [f"{len(self.regressed)} of {self.count} protected items regress: {named}"]

    def describe_success(self, _comparisons: Mapping[str, Mapping[str, PairedComparison]]) -> str:
        """That they are kept, and which ones nobody could look at."""
        stated = [f"all {self.count} protected items are kept"] if self.count else []
        if self.missing:
            stated.append(
                f"{len(self.missing)} protected items are not evaluated: {list_names(self.missing)}"
            )
        return "; ".join(stated)


@dataclass(frozen=True, slots=True)
class AnswerDrift:
    """How far the candidate's answers move from the control's, and how far they may.

    The distance is the total variation of the two distributions: the part of all items whose answer
    would have to change to make them equal.
    """

    distance: float
    moved: tuple[tuple[str, float], ...]
    """The answers that moved most, each with the change of its proportion."""
    maximum: float | None
    failures: tuple[tuple[str, float, float], ...] = ()
    """Abstentions and impossible answers: their proportions now and before."""
    rejection: ClassVar[RejectionKind] = RejectionKind.DRIFT

    @classmethod
    def of(
        cls,
        candidate: Sequence[PredictionRow],
        control: Sequence[PredictionRow],
        maximum: float | None,
        answers: Collection[str] | None = None,
    ) -> AnswerDrift:
        """The drift between two models' answers to the same items.

        `answers` are all that the candidate has; None where any text is one.
        """
        now = Counter(row.output for row in candidate)
        before = Counter(row.output for row in control)
        n = max(1, len(candidate))
        changes = {answer: (now[answer] - before[answer]) / n for answer in now | before}
        moved = sorted(changes.items(), key=lambda change: (-abs(change[1]), change[0]))
        return cls(
            sum(map(abs, changes.values())) / 2,
            tuple(each for each in moved[:MAX_NAMED] if each[1]),
            maximum,
            _list_failures(now, before, n, answers),
        )

    def find_faults(self, _comparisons: Mapping[str, Mapping[str, PairedComparison]]) -> list[str]:
        """The drift, where it exceeds the policy's bound."""
        if self.maximum is None or self.distance <= self.maximum:
            return []
        return [f"{self._describe()}; at most {self.maximum:.1%} is allowed"]

    def describe_success(self, _comparisons: Mapping[str, Mapping[str, PairedComparison]]) -> str:
        """The drift, and how often no answer or an impossible one was given."""
        stated = [self._describe()] if self.moved else []
        stated += [
            f"{name}: {now:.1%} of the items, {before:.1%} before"
            for name, now, before in self.failures
        ]
        return "; ".join(stated)

    def _describe(self) -> str:
        named = ", ".join(
            f"{'no answer' if answer == ABSTAINED else repr(answer)} {change:+.1%}"
            for answer, change in self.moved
        )
        return f"answers move by {self.distance:.1%} ({named})"


def _list_failures(
    now: Mapping[str, int], before: Mapping[str, int], n: int, answers: Collection[str] | None
) -> tuple[tuple[str, float, float], ...]:
    """Abstentions and impossible answers, where either model gave one."""

    def is_impossible(answer: str) -> bool:
        return answers is not None and answer != ABSTAINED and answer not in answers

    counts = (
        ("no answer", now.get(ABSTAINED, 0), before.get(ABSTAINED, 0)),
        (
            "answers that the candidate does not have",
            sum(count for answer, count in now.items() if is_impossible(answer)),
            sum(count for answer, count in before.items() if is_impossible(answer)),
        ),
    )
    return tuple((name, a / n, b / n) for name, a, b in counts if a or b)


def list_names(names: Sequence[str]) -> str:
    """The first of the names, quoted, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(repr(each) for each in names[:MAX_NAMED]) + more
