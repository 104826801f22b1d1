"""Triggers over whole streams of feedback: never too many, never too close, no flapping."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.events import TriggerReason
from archon_contracts.triggers.rating_drop import MINIMUM_RATINGS
from archon_contracts.values import TriggerPolicy
from services.coordinator.feedback.stats import FeedbackStats
from services.coordinator.retraining.triggers import decide
from tests.support.messaging.messages import NOON

EMPTY = FeedbackStats(tenant_id="default", agent_id="picker")


@dataclass
class FeedbackStream:
    """One agent's feedback, claimed as its triggers want; each job ends at once."""

    policy: TriggerPolicy
    now: datetime = NOON
    stats: FeedbackStats = EMPTY
    windows: list[tuple[TriggerReason, datetime, int]] = field(default_factory=list)

    def decide(self, rating: float | None, seconds: float) -> None:
        """Feedback comes after so long."""
        self.now += timedelta(seconds=seconds)
        self.stats = replace(
            self.stats,
            unused=self.stats.unused + 1,
            rated=self.stats.rated + (rating is not None),
            rating_sum=self.stats.rating_sum + (rating or 0.0),
            oldest_unused_at=self.stats.oldest_unused_at or self.now,
        )
        reason = decide(self.stats, self.policy, self.now).reason
        if reason is not None:
            self._claim(reason)

    def _claim(self, reason: TriggerReason) -> None:
        before = self.stats
        self.windows.append((reason, self.now, before.unused))
        reference = (before.previous_rated, before.previous_rating_sum)
        if before.rated >= MINIMUM_RATINGS:
            reference = (before.rated, before.rating_sum)
        self.stats = replace(
            EMPTY,
            previous_rated=reference[0],
            previous_rating_sum=reference[1],
            last_window_at=self.now,
        )

    @property
    def reasons(self) -> Counter[TriggerReason]:
        """How often each reason fired."""
        return Counter(reason for reason, _, _ in self.windows)


ratings = st.none() | st.integers(1, 5).map(float)
streams = st.lists(st.tuples(ratings, st.floats(0, 30)), max_size=400)


@given(streams, st.integers(1, 50), st.floats(0, 300))
def test_a_count_makes_no_more_windows_than_there_are_minimums_in_the_stream(
    given_stream: list[tuple[float | None, float]], minimum: int, cooldown: float
) -> None:
    stream = FeedbackStream(TriggerPolicy(minimum_feedback=minimum, cooldown_seconds=cooldown))

    for rating, seconds in given_stream:
        stream.decide(rating, seconds)

    assert len(stream.windows) <= len(given_stream) // minimum
    assert all(count >= minimum for _, _, count in stream.windows)


@given(
    streams,
    st.builds(
        TriggerPolicy,
        minimum_feedback=st.integers(1, 300),
        rating_drop=st.none() | st.floats(0.1, 4),
        maximum_age_seconds=st.none() | st.floats(1, 600),
        cooldown_seconds=st.floats(0, 600),
    ),
)
def test_a_cooldown_lies_between_two_windows_whatever_fires_them(
    given_stream: list[tuple[float | None, float]], policy: TriggerPolicy
) -> None:
    stream = FeedbackStream(policy)

    for rating, seconds in given_stream:
        stream.decide(rating, seconds)

    rest = timedelta(seconds=policy.cooldown_seconds)
    assert all(b[1] - a[1] >= rest for a, b in pairwise(stream.windows))


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 120)), max_size=20), st.floats(0.2, 2.0)
)
def test_falls_in_a_row_are_no_more_than_there_is_room_to_fall(
    levels: list[tuple[int, int]], drop: float
) -> None:
    stream = FeedbackStream(
        TriggerPolicy(minimum_feedback=200, rating_drop=drop, cooldown_seconds=0)
    )

    for rating, count in levels:
        for _ in range(count):
            stream.decide(float(rating), 1)

    runs = [len(list(run)) for reason, run in groupby(r for r, _, _ in stream.windows)
            if reason is TriggerReason.RATING_DROP]  # fmt: skip
    assert all(run <= 4 / drop for run in runs)


def test_ratings_that_fell_once_and_stay_low_fire_once() -> None:
    stream = FeedbackStream(
        TriggerPolicy(minimum_feedback=100, rating_drop=1.0, cooldown_seconds=0)
    )

    for rating in [5.0] * 100 + [3.0] * 2_000:
        stream.decide(rating, 1)

    assert stream.reasons[TriggerReason.RATING_DROP] == 1


def test_noise_round_a_steady_mean_hardly_ever_fires() -> None:
    drops = windows = 0
    for seed in range(10):
        choose = random.Random(seed)
        policy = TriggerPolicy(minimum_feedback=100, rating_drop=0.3, cooldown_seconds=0)
        stream = FeedbackStream(policy)
        for _ in range(3_000):
            stream.decide(float(choose.choices((1, 2, 3, 4, 5), (1, 1, 2, 3, 3))[0]), 1)
        drops += stream.reasons[TriggerReason.RATING_DROP]
        windows += len(stream.windows)

    assert drops <= windows * 0.03


def test_a_real_fall_is_found_within_the_least_number_of_ratings() -> None:
    stream = FeedbackStream(
        TriggerPolicy(minimum_feedback=1_000, rating_drop=1.0, cooldown_seconds=0)
    )
    choose = random.Random(7)

    for _ in range(1_000):
        stream.decide(float(choose.choice((4, 5, 5))), 1)
    for _ in range(2 * MINIMUM_RATINGS):
        stream.decide(float(choose.choice((2, 3, 3, 4))), 1)

    assert [reason for reason, _, _ in stream.windows] == [
        TriggerReason.COUNT,
        TriggerReason.RATING_DROP,
    ]
