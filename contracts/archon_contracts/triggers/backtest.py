"""Replays an agent's history through trigger policies, and says what each would have cost.

What a version that was never trained would have answered is in no history, so it is estimated: the
world moves by what the error rate rises while one version is deployed, and a version is wrong as
often as a new one, and by what the world has moved since its data was taken. The composite of the
versions that would have been live is scored, as Modyn does it (Boether et al., "Modyn: Data-centric
Machine Learning Pipeline Orchestration", 2023).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

from archon_contracts.events.jobs import TriggerReason
from archon_contracts.triggers.combining import decide, spend
from archon_contracts.triggers.regret import FIRST_TRAINING_SECONDS
from archon_contracts.triggers.stream import (
    ObservedAnswer,
    RatingSums,
    StreamState,
    observe,
    start_version,
    start_window,
)
from archon_contracts.triggers.view import TriggerView
from archon_contracts.values import TriggerPolicy

SMALLEST_BLOCK: Final = 200
"""Answers of which an error rate is taken: of fewer, noise would pass for a rise."""
MAX_STARTS: Final = 1_500
"""Starts of trainings that the optimum chooses from: its time grows with their square."""
STEP: Final = 10
"""Answers between two looks of a replayed policy; the coordinator looks after each batch."""
NextTime = Callable[[str, str, datetime], datetime | None]


@dataclass(frozen=True, slots=True)
class HistoryHour:
    """Rated answers of one hour, and the wrong ones among them."""

    at: datetime
    answers: int
    wrong: int


@dataclass(frozen=True, slots=True)
class FeedbackHistory:
    """What is stored of an agent: hours with feedback in order, and when versions were deployed."""

    hours: Sequence[HistoryHour]
    deployed_at: Sequence[datetime] = ()
    training_seconds: float | None = None
    """What a training took [s]; None: none has ended."""


@dataclass(frozen=True, slots=True)
class WorldDrift:
    """How often a new version is wrong, and how far the world has moved by each hour."""

    error: float
    moved: Sequence[float]


@dataclass(frozen=True, slots=True)
class ReplayedRetrain:
    """A retrain that the policy would have begun."""

    at: datetime
    reason: TriggerReason
    unused: int


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What one policy would have done. Seconds of regret are wrong answers times their price."""

    policy: str
    retrains: Sequence[ReplayedRetrain]
    answers: int
    wrong: float
    training_seconds: float
    regret_seconds: float
    accuracy_by_hour: Sequence[float]

    @property
    def accuracy(self) -> float:
        """Of the composite of the versions that would have been live."""
        return 1 - self.wrong / self.answers if self.answers else 0.0

    @property
    def total_seconds(self) -> float:
        """Cost and regret together: the less, the better the policy."""
        return self.training_seconds + self.regret_seconds


def estimate_drift(history: FeedbackHistory) -> WorldDrift:
    """The movement of the world by the error rate of each deployed version, never back.

    Isotonic regression (pool adjacent violators: Ayer et al., 1955) on blocks of answers within the
    time of each version; what a new version mends had moved before.
    """
    moved, first_wrong, first_answers, reached = list[float](), 0.0, 0, 0.0
    for tenure in _split(history):
        blocks = _blocks(tenure)
        rates = _isotonic([(w / n if n else 0.0, float(n)) for n, w, _ in blocks])
        n, wrong, _ = blocks[0]
        first_wrong, first_answers = first_wrong + wrong, first_answers + n
        for rate, (_, _, hours) in zip(rates, blocks, strict=True):
            moved += [reached + rate - rates[0]] * hours
        reached = moved[-1]
    return WorldDrift(first_wrong / first_answers if first_answers else 0.0, moved)


def _split(history: FeedbackHistory) -> list[list[HistoryHour]]:
    """The hours by the version that was deployed; a version without an hour is left out."""
    starts = sorted(history.deployed_at)
    found: dict[int, list[HistoryHour]] = {}
    for hour in history.hours:
        found.setdefault(sum(start <= hour.at for start in starts), []).append(hour)
    return list(found.values())


def _blocks(hours: Sequence[HistoryHour]) -> list[tuple[int, int, int]]:
    """Answers, wrong ones and hours of each block; a small last one joins its neighbour."""
    found, n, wrong, count = list[tuple[int, int, int]](), 0, 0, 0
    for hour in hours:
        n, wrong, count = n + hour.answers, wrong + hour.wrong, count + 1
        if n >= SMALLEST_BLOCK:
            found.append((n, wrong, count))
            n, wrong, count = 0, 0, 0
    if count and found:
        last = found.pop()
        n, wrong, count = n + last[0], wrong + last[1], count + last[2]
    return [*found, (n, wrong, count)] if count else found


def _isotonic(weighted: Sequence[tuple[float, float]]) -> list[float]:
    """The nearest sequence that never falls, by weighted squares."""
    pools = list[tuple[float, float, int]]()
    for value, weight in weighted:
        pools.append((value, max(weight, 1e-9), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, wa, na), (b, wb, nb) = pools[-2:]
            pools[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return [value for value, _, count in pools for _ in range(count)]


def replay(
    name: str,
    policy: TriggerPolicy,
    history: FeedbackHistory,
    drift: WorldDrift,
    *,
    price_seconds: float,
    next_time: NextTime | None = None,
    seed: int = 0,
) -> BacktestResult:
    """What a policy would have done on a history whose world moves so; linear in the answers.

    Cooldowns hold; a training takes what the agent's trainings took, and the version before answers
    meanwhile. `price_seconds` is what one wrong answer less is worth [s of training].
    """
    world = _Replay(policy, history, drift, random.Random(seed), next_time)
    accuracies = [world.play(place, hour) for place, hour in enumerate(history.hours)]
    cost = len(world.retrains) * world.training_seconds
    return BacktestResult(
        policy=name,
        retrains=tuple(world.retrains),
        answers=sum(hour.answers for hour in history.hours),
        wrong=world.wrong,
        training_seconds=cost,
        regret_seconds=world.excess * price_seconds,
        accuracy_by_hour=tuple(accuracies),
    )


class _Replay:
    """One policy on its way through a history."""

    def __init__(
        self,
        policy: TriggerPolicy,
        history: FeedbackHistory,
        drift: WorldDrift,
        choose: random.Random,
        next_time: NextTime | None,
    ) -> None:
        self._policy, self._drift, self._choose = policy, drift, choose
        self._next_time = next_time
        self.training_seconds = (
            FIRST_TRAINING_SECONDS if history.training_seconds is None else history.training_seconds
        )
        self.retrains = list[ReplayedRetrain]()
        self.wrong = self.excess = 0.0
        self._stream = start_version(StreamState(), "0", RatingSums())
        self._unused = 0
        self._oldest: datetime | None = None
        self._last_window: datetime | None = None
        self._trained_at_move = drift.moved[0] if drift.moved else 0.0
        self._training: tuple[datetime, float] | None = None

    def play(self, place: int, hour: HistoryHour) -> float:
        """Go through an hour; returns the accuracy of what would have been live in it."""
        wrong_before, done = self.wrong, 0
        while done < hour.answers:
            count = min(STEP, hour.answers - done)
            now = hour.at + timedelta(seconds=3600.0 * (done + count) / hour.answers)
            self._deploy(now)
            rise = max(0.0, self._drift.moved[place] - self._trained_at_move)
            error = min(1.0, self._drift.error + rise)
            self.wrong += error * count
            self.excess += (error - min(1.0, self._drift.error)) * count
            self._observe(count, error, now)
            self._consider(place, now)
            done += count
        return 1 - (self.wrong - wrong_before) / hour.answers if hour.answers else 1.0

    def _observe(self, count: int, error: float, now: datetime) -> None:
        answers = [
            ObservedAnswer(self._choose.random() >= error, None, None, "") for _ in range(count)
        ]
        self._stream = observe(self._stream, answers, self._policy.error_rise)
        self._unused += count
        self._oldest = self._oldest or now

    def _consider(self, place: int, now: datetime) -> None:
        rest = timedelta(seconds=self._policy.cooldown_seconds)
        if self._training is not None or (
            self._last_window is not None and now < self._last_window + rest
        ):
            return
        view = TriggerView(
            unused=self._unused,
            oldest_unused_at=self._oldest,
            last_window_at=self._last_window,
            scheduled_at=self._scheduled_at(),
            training_seconds=self.training_seconds,
            stream=self._stream,
        )
        firing = decide(view, self._policy, now)
        if firing is None:
            return
        self.retrains.append(ReplayedRetrain(now, firing.reason, self._unused))
        self._stream = spend(start_window(self._stream), self._policy, now)
        self._unused, self._oldest, self._last_window = 0, None, now
        ends = now + timedelta(seconds=self.training_seconds)
        self._training = (ends, self._drift.moved[place])

    def _scheduled_at(self) -> datetime | None:
        schedule = self._policy.schedule
        if schedule is None or self._oldest is None or self._next_time is None:
            return None
        since = max(self._oldest, self._last_window or self._oldest)
        return self._next_time(schedule.cron, schedule.time_zone, since)

    def _deploy(self, now: datetime) -> None:
        if self._training is not None and self._training[0] <= now:
            self._trained_at_move = self._training[1]
            self._training = None
            self._stream = start_version(
                self._stream, str(len(self.retrains)), self._stream.late_ratings
            )


def find_optimum(
    history: FeedbackHistory, drift: WorldDrift, *, price_seconds: float
) -> BacktestResult:
    """The retrains that cost least with regret, at starts of hours and known afterwards.

    Of long histories only every second, third, ... hour may be a start.

    Dynamic programming over the hours, where each training begins at the start of one and is
    deployed at once: no policy does better but for what happens within an hour.
    """
    seconds = history.training_seconds or FIRST_TRAINING_SECONDS
    hours, count = history.hours, len(history.hours)
    stride = 1 + count // MAX_STARTS
    answers = [0, *accumulate(hour.answers for hour in hours)]
    # Of a version trained at hour s the regret of s..t is the sum of n (moved - moved[s]).
    weighted = [0.0, *accumulate(h.answers * m for h, m in zip(hours, drift.moved, strict=True))]
    best, came_from = [0.0] * (count + 1), [0] * (count + 1)
    for end in range(1, count + 1):
        costs = (
            (
                best[start]
                + (seconds if start else 0.0)
                + price_seconds
                * (
                    weighted[end]
                    - weighted[start]
                    - drift.moved[start] * (answers[end] - answers[start])
                ),
                start,
            )
            for start in range(0, end, stride)
        )
        best[end], came_from[end] = min(costs)
    starts, place = list[int](), came_from[count]
    while place:
        starts.append(place)
        place = came_from[place]
    regret = best[count] - seconds * len(starts)
    retrains = [
        ReplayedRetrain(hours[start].at, TriggerReason.MANUAL, 0) for start in reversed(starts)
    ]
    excess = regret / price_seconds if price_seconds else 0.0
    return BacktestResult(
        policy="optimum",
        retrains=tuple(retrains),
        answers=answers[-1],
        wrong=answers[-1] * drift.error + excess,
        training_seconds=seconds * len(starts),
        regret_seconds=regret,
        accuracy_by_hour=(),
    )
