"""Statistics over an agent's feedback: per hour as counted, or over log lines sent by a caller."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from archon_contracts.base import Identifier
from archon_contracts.events import FeedbackCounts
from archon_contracts.latency_buckets import (
    MAX_LATENCY_SECONDS,
    bucket_midpoint_seconds,
    bucket_of,
)
from archon_contracts.rules.moments import UtcTime

QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
SUMMED_FIELDS: Final = (
    "feedback",
    "corrected",
    "rated",
    "rating_sum",
    "rewarded",
    "reward_sum",
    "retracted",
    "annotations",
    "interactions",
    "failed",
)


def merge_by_hour(counts: Iterable[FeedbackCounts]) -> list[FeedbackCounts]:
    """One sum per hour, oldest first: the model versions of an hour are added up."""
    by_hour: dict[datetime, list[FeedbackCounts]] = defaultdict(list)
    for each in counts:
        by_hour[each.hour].append(each)
    return [_sum_counts(hour, by_hour[hour]) for hour in sorted(by_hour)]


def merge_by_version(counts: Iterable[FeedbackCounts]) -> list[FeedbackCounts]:
    """One sum per model version, from its first hour on; feedback that names none is left out."""
    by_version: dict[str, list[FeedbackCounts]] = defaultdict(list)
    for each in counts:
        if each.model_version:
            by_version[each.model_version].append(each)
    return [
        _sum_counts(min(each.hour for each in found), found).model_copy(
            update={"model_version": version}
        )
        for version, found in sorted(by_version.items())
    ]


def _sum_counts(hour: datetime, counts: Sequence[FeedbackCounts]) -> FeedbackCounts:
    return FeedbackCounts(hour=hour, latencies=_sum_latencies(counts), **_sum_fields(counts))


def _sum_fields(counts: Sequence[FeedbackCounts]) -> dict[str, Any]:
    return {name: sum(getattr(each, name) for each in counts) for name in SUMMED_FIELDS}


def _sum_latencies(counts: Iterable[FeedbackCounts]) -> dict[str, int]:
    latencies: Counter[str] = Counter()
    for each in counts:
        latencies.update(each.latencies)
    return dict(latencies)


def compute_quantiles(latencies: Mapping[str, int]) -> dict[str, float]:
    """p50, p90 and p99 [s], each the middle of the bucket in which it lies; empty without data.

    Not a DDSketch: its state cannot be added up by SQL, and the event carries plain buckets.
    """
    total = sum(latencies.values())
    if not total:
        return {}
    buckets = sorted((int(bucket), count) for bucket, count in latencies.items())
    return {
        name: round(bucket_midpoint_seconds(_find_bucket(buckets, quantile * total)), 6)
        for name, quantile in QUANTILES.items()
    }


def _find_bucket(buckets: Sequence[tuple[int, int]], rank: float) -> int:
    """The bucket that holds the value of this rank."""
    seen = 0
    for bucket, count in buckets:
        seen += count
        if seen >= rank:
            return bucket
    return buckets[-1][0]


class LogAnalysis(BaseModel):
    """Statistics of one agent's logs. A proportion or mean of nothing is absent."""

    interactions: int
    feedback: int
    corrected: int
    corrected_proportion: float | None
    rated: int
    mean_rating: float | None
    rewarded: int
    mean_reward: float | None
    retracted: int
    annotations: int
    errors: int
    error_proportion: float | None
    latency_seconds: dict[str, float]
    per_hour: list[dict[str, JsonValue]]


def analyse(hours: Sequence[FeedbackCounts]) -> LogAnalysis:
    """The statistics of several hours together."""
    sums = _sum_fields(hours)
    rating_sum, reward_sum, failed = (
        sums.pop(name) for name in ("rating_sum", "reward_sum", "failed")
    )
    return LogAnalysis(
        **sums,
        corrected_proportion=_ratio(sums["corrected"], sums["feedback"]),
        mean_rating=_ratio(rating_sum, sums["rated"]),
        mean_reward=_ratio(reward_sum, sums["rewarded"]),
        errors=failed,
        error_proportion=_ratio(failed, sums["interactions"]),
        latency_seconds=compute_quantiles(_sum_latencies(hours)),
        per_hour=[_describe_hour(hour) for hour in hours],
    )


def _describe_hour(hour: FeedbackCounts) -> dict[str, JsonValue]:
    return {
        "hour": hour.hour.isoformat(),
        "interactions": hour.interactions,
        "feedback": hour.feedback,
        "corrected": hour.corrected,
        "mean_rating": _ratio(hour.rating_sum, hour.rated),
        "errors": hour.failed,
    }


def _ratio(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


class LogLine(BaseModel):
    """One line sent by a caller: an interaction, feedback, or both."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    interaction_id: Identifier | None = Field(default=None, alias="interactionId")
    unit_id: Identifier | None = Field(default=None, alias="unitId")
    input_tokens: int | None = Field(default=None, strict=True, ge=0, alias="inputTokens")
    output_tokens: int | None = Field(default=None, strict=True, ge=0, alias="outputTokens")
    input: JsonValue = None
    actual: JsonValue = None
    expected: JsonValue = None
    rating: float | None = Field(default=None, strict=True, ge=1, le=5)
    reward: float | None = Field(default=None, strict=True, ge=-1, le=1)
    error: str | None = None
    latency_seconds: float | None = Field(
        default=None, strict=True, ge=0, le=MAX_LATENCY_SECONDS, alias="latencySeconds"
    )
    at: UtcTime | None = None

    @property
    def is_feedback(self) -> bool:
        """Whether it carries feedback on the answer."""
        return any(value is not None for value in (self.expected, self.rating, self.reward))

    @property
    def is_corrected(self) -> bool:
        """Whether the expected answer is not the agent's."""
        return self.expected is not None and self.expected != self.actual


def count_by_hour(lines: Iterable[LogLine], *, now: datetime) -> list[FeedbackCounts]:
    """The lines counted per hour; a line without a time counts as of `now`.

    Each line is one interaction; one that carries feedback is one item of feedback too.
    """
    by_hour: dict[datetime, list[LogLine]] = defaultdict(list)
    for line in lines:
        by_hour[start_of_hour(line.at or now)].append(line)
    return [_count_lines(hour, by_hour[hour]) for hour in sorted(by_hour)]


def _count_lines(hour: datetime, lines: Sequence[LogLine]) -> FeedbackCounts:
    ratings = [line.rating for line in lines if line.rating is not None]
    rewards = [line.reward for line in lines if line.reward is not None]
    latencies = [line.latency_seconds for line in lines if line.latency_seconds is not None]
    return FeedbackCounts(
        hour=hour,
        feedback=sum(line.is_feedback for line in lines),
        corrected=sum(line.is_corrected for line in lines),
        rated=len(ratings),
        rating_sum=sum(ratings),
        rewarded=len(rewards),
        reward_sum=sum(rewards),
        interactions=len(lines),
        failed=sum(line.error is not None for line in lines),
        latencies=Counter(str(bucket_of(seconds)) for seconds in latencies),
    )


def start_of_hour(moment: datetime) -> datetime:
    """The hour that a moment is in."""
    return moment.replace(minute=0, second=0, microsecond=0)
