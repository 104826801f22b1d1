"""The stream of one agent's rated answers, in constant memory and constant time per event.

It is kept as JSON beside the agent's counters, in the transaction that stores the events: after a
restart it is exactly where it was, and a repeated batch is not counted again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, NamedTuple

REFERENCE_ANSWERS: Final = 200
"""First answers of a version that say how often it is wrong where nothing has changed."""
FEWEST_ANSWERS: Final = 50
"""Answers of the reference below which it says nothing."""
REFERENCE_FADE: Final = 0.8
"""Factor of the reference of the versions before when a new version begins."""
MAX_RATERS: Final = 32
"""Raters that are distinguished; further ones are counted together."""
OTHERS: Final = "*"


@dataclass(frozen=True, slots=True)
class RatingSums:
    """Number and sum of ratings."""

    n: int = 0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamState:
    """What is known of the deployed version's answers. Answers of other versions are not in it."""

    version: str | None = None
    answers: int = 0
    wrong: int = 0
    reference_answers: float = 0.0
    reference_wrong: float = 0.0
    evidence: float = 0.0
    """CUSUM: log-likelihood ratio of a risen error rate since it was last zero."""
    excess: float = 0.0
    """Wrong answers beyond what the reference expects, since the last window or version."""
    raters: Mapping[str, int] = field(default_factory=dict)
    """Answers by rater since the version began."""
    suspects: Mapping[str, int] = field(default_factory=dict)
    """Wrong answers by rater since the evidence was last zero."""
    late_ratings: RatingSums = field(default_factory=RatingSums)
    """Ratings of other versions since the last window: they say nothing of the deployed one."""
    tokens: float | None = None
    """What is left of the daily limit of retrains; None: all of it."""
    tokens_at: float = 0.0
    """When that was so [s since 1970]."""

    @property
    def expected_error(self) -> float:
        """The reference's error rate."""
        return expected_error(self.reference_answers, self.reference_wrong)

    def to_json(self) -> dict[str, Any]:
        """As kept in the database."""
        return asdict(self)

    @classmethod
    def of_json(cls, stored: Mapping[str, Any] | None) -> StreamState:
        """As it was kept; fields of other releases are passed over."""
        if not stored:
            return cls()
        known = {name: stored[name] for name in cls.__slots__ if name in stored}
        if "late_ratings" in known:
            known["late_ratings"] = RatingSums(**known["late_ratings"])
        return cls(**known)


class ObservedAnswer(NamedTuple):
    """What one feedback event says of one answer."""

    correct: bool | None
    rating: float | None
    version: str | None
    """The version that gave the answer; None: not said."""
    rater: str


def observe(
    state: StreamState, answers: Iterable[ObservedAnswer], error_rise: float | None
) -> StreamState:
    """The state after feedback events, oldest first; the same in one call or in many.

    An event that names another version than the deployed one says nothing of the deployed one:
    ratings come late, and those of a worse version before would look like a fall.
    """
    seen = _Accumulator(state, error_rise)
    for correct, rating, version, rater in answers:
        if version is not None and state.version is not None and version != state.version:
            if rating is not None:
                seen.late += 1
                seen.late_total += rating
        elif correct is not None:
            seen.add(not correct, rater)
    return seen.to_state()


class _Accumulator:
    """A state that is changed in place: a new object for each event would cost the intake."""

    def __init__(self, state: StreamState, error_rise: float | None) -> None:
        self._before = state
        self._error_rise = error_rise
        self.late, self.late_total = state.late_ratings.n, state.late_ratings.total
        self._answers, self._wrong = state.answers, state.wrong
        self._of_reference, self._wrong_of_reference = (
            state.reference_answers,
            state.reference_wrong,
        )
        self._evidence, self._excess = state.evidence, state.excess
        self._raters, self._suspects = dict(state.raters), dict(state.suspects)
        self._set_expectation()

    def add(self, wrong: bool, rater: str) -> None:
        """Count one answer."""
        self._answers += 1
        self._wrong += wrong
        _count(self._raters, rater)
        if self._answers <= REFERENCE_ANSWERS:
            self._of_reference += 1
            self._wrong_of_reference += wrong
            self._set_expectation()
        # The first answers of all have nothing to exceed.
        if self._of_reference < FEWEST_ANSWERS:
            return
        self._excess += wrong - self._expected
        if self._error_rise is None:
            return
        self._evidence += self._log_ratio_wrong if wrong else self._log_ratio_right
        if self._evidence <= 0:
            self._evidence = 0.0
            self._suspects.clear()
        elif wrong:
            _count(self._suspects, rater)

    def to_state(self) -> StreamState:
        """The state after all that was added."""
        return replace(
            self._before,
            answers=self._answers,
            wrong=self._wrong,
            reference_answers=self._of_reference,
            reference_wrong=self._wrong_of_reference,
            evidence=self._evidence,
            excess=self._excess,
            raters=self._raters,
            suspects=self._suspects,
            late_ratings=RatingSums(self.late, self.late_total),
        )

    def _set_expectation(self) -> None:
        """The CUSUM of Page ("Continuous inspection schemes", Biometrika 41, 1954), for Bernoulli
        events: log-likelihood ratios of a risen error rate against the reference's.

        Before the rise the error rate is at most the reference's plus one standard error, so that
        a reference of few answers raises no alarm; after it, `error_rise` more.
        """
        self._expected = known = expected_error(self._of_reference, self._wrong_of_reference)
        error = math.sqrt(known * (1 - known) / max(1.0, self._of_reference))
        before = min(0.98, known + error)
        after = min(0.99, before + (self._error_rise or 0.0))
        self._log_ratio_wrong = math.log(after / before)
        self._log_ratio_right = math.log((1 - after) / (1 - before))


def expected_error(answers: float, wrong: float) -> float:
    """The error rate of a reference, with half a wrong answer of one for what is not known."""
    return (wrong + 0.5) / (answers + 1.0)


def _count(counts: dict[str, int], rater: str) -> None:
    name = rater if rater in counts or len(counts) < MAX_RATERS else OTHERS
    counts[name] = counts.get(name, 0) + 1


def start_version(
    state: StreamState, version: str | None, unused_ratings: RatingSums
) -> StreamState:
    """Another version is deployed: what was seen of the one before is over.

    All `unused_ratings` since the last window are of versions before this one.

    Its reference is kept with less weight, so that a version whose first answers are few is not
    believed to be always right.
    """
    if version == state.version:
        return state
    return StreamState(
        version=version,
        reference_answers=state.reference_answers * REFERENCE_FADE,
        reference_wrong=state.reference_wrong * REFERENCE_FADE,
        late_ratings=unused_ratings,
        tokens=state.tokens,
        tokens_at=state.tokens_at,
    )


def start_window(state: StreamState, claimed: RatingSums | None = None) -> StreamState:
    """A window took unused feedback, the oldest first; what made it due is over.

    `claimed` are the ratings that it took; absent: all. Late ratings are of versions before, so
    they are the first to be taken, and those beyond the window's number stay late.
    """
    late, left = state.late_ratings, RatingSums()
    if claimed is not None and claimed.n < late.n:
        left = RatingSums(late.n - claimed.n, late.total - claimed.total)
    return replace(state, evidence=0.0, suspects={}, excess=0.0, late_ratings=left)
