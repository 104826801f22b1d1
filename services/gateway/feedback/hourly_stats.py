"""Statistics over what agents report: per hour from the topic, or over lines sent by a caller.

Latencies are counted in buckets that grow by a quarter of an octave, so a quantile read from them
is within 9 % of the true one, whatever the scale.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

BUCKETS_PER_OCTAVE: Final = 4
MIN_LATENCY_SECONDS: Final = 1e-6
MAX_LATENCY_SECONDS: Final = 1e9
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class HourlyCounts(BaseModel):
    """What came in for one agent in one hour."""

    model_config = ConfigDict(extra="ignore")

    hour: datetime
    feedback: int = 0
    corrected: int = 0
    rated: int = 0
    rating_sum: float = 0.0
    rewarded: int = 0
    reward_sum: float = 0.0
    retracted: int = 0
    annotations: int = 0
    interactions: int = 0
    failed: int = 0
    latencies: dict[str, int] = Field(default_factory=dict)

    def count(self, event: str, body: Mapping[str, Any]) -> None:
        """Add one event of the feedback topic; `event` is its contract's name."""
        match event:
            case "FeedbackReceived":
                self._count_feedback(body)
            case "FeedbackRetracted":
                self.retracted += 1
            case "AnnotationSubmitted":
                self.annotations += 1
            case "InteractionLogged":
                self.interactions += 1
                self.failed += body.get("error") is not None
                self._count_latency(body.get("latency_seconds"))

    def _count_feedback(self, body: Mapping[str, Any]) -> None:
        self.feedback += 1
        expected = body.get("expected")
        self.corrected += expected is not None and expected != body.get("actual")
        if (rating := parse_number_within(body.get("rating"), 1, 5)) is not None:
            self.rated += 1
            self.rating_sum += rating
        if (reward := parse_number_within(body.get("reward"), -1, 1)) is not None:
            self.rewarded += 1
            self.reward_sum += reward

    def _count_latency(self, value: object) -> None:
        seconds = parse_number_within(value, 0, MAX_LATENCY_SECONDS)
        if seconds is not None:
            bucket = str(bucket_of(seconds))
            self.latencies[bucket] = self.latencies.get(bucket, 0) + 1


def parse_number_within(value: object, minimum: float, maximum: float) -> float | None:
    """A number of an unchecked body, or None when it is none or outside its range."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if minimum <= value <= maximum else None


def bucket_of(seconds: float) -> int:
    """The bucket of a latency; everything under a microsecond is in the first."""
    return round(math.log2(max(seconds, MIN_LATENCY_SECONDS)) * BUCKETS_PER_OCTAVE)


def bucket_midpoint_seconds(bucket: int) -> float:
    """The middle of a bucket."""
    return float(2 ** (bucket / BUCKETS_PER_OCTAVE))


def compute_quantiles(latencies: Mapping[int, int]) -> dict[str, float]:
    """p50, p90 and p99 [s], each the middle of the bucket in which it lies; empty without data."""
    total = sum(latencies.values())
    if not total:
        return {}
    found: dict[str, float] = {}
    for name, quantile in QUANTILES.items():
        seen = 0
        for bucket in sorted(latencies):
            seen += latencies[bucket]
            if seen >= quantile * total:
                found[name] = round(bucket_midpoint_seconds(bucket), 6)
                break
    return found


class LogAnalysis(BaseModel):
    """Statistics of one agent's logs. A proportion or mean without anything behind it is absent."""

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


def analyse(hours: Sequence[HourlyCounts]) -> LogAnalysis:
    """Sum up hours."""
    latencies: Counter[int] = Counter()
    for hour in hours:
        latencies.update({int(bucket): n for bucket, n in hour.latencies.items()})
    feedback, interactions = _sum(hours, "feedback"), _sum(hours, "interactions")
    rated, rewarded = _sum(hours, "rated"), _sum(hours, "rewarded")
    corrected, failed = _sum(hours, "corrected"), _sum(hours, "failed")
    return LogAnalysis(
        interactions=interactions,
        feedback=feedback,
        corrected=corrected,
        corrected_proportion=_ratio(corrected, feedback),
        rated=rated,
        mean_rating=_ratio(sum(hour.rating_sum for hour in hours), rated),
        rewarded=rewarded,
        mean_reward=_ratio(sum(hour.reward_sum for hour in hours), rewarded),
        retracted=_sum(hours, "retracted"),
        annotations=_sum(hours, "annotations"),
        errors=failed,
        error_proportion=_ratio(failed, interactions),
        latency_seconds=compute_quantiles(latencies),
        per_hour=[_line(hour) for hour in hours],
    )


class LogLine(BaseModel):
    """One line sent by a caller: an interaction, feedback, or both."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    input: JsonValue = None
    actual: JsonValue = None
    expected: JsonValue = None
    rating: float | None = Field(default=None, ge=1, le=5)
    reward: float | None = Field(default=None, ge=-1, le=1)
    error: str | None = None
    latency_seconds: float | None = Field(default=None, ge=0, alias="latencySeconds")
    at: datetime | None = None


def count_by_hour(lines: Iterable[LogLine], *, now: datetime) -> list[HourlyCounts]:
    """The lines counted per hour; a line without a time counts as of `now`.

    Each line is one interaction; one that carries feedback is one item of feedback too.
    """
    hours: dict[datetime, HourlyCounts] = {}
    for line in lines:
        hour = start_of_hour(line.at or now)
        counts = hours.setdefault(hour, HourlyCounts(hour=hour))
        body = line.model_dump()
        counts.count("InteractionLogged", body)
        if any(value is not None for value in (line.expected, line.rating, line.reward)):
            counts.count("FeedbackReceived", body)
    return [hours[hour] for hour in sorted(hours)]


def start_of_hour(moment: datetime) -> datetime:
    """The hour that a moment is in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _line(hour: HourlyCounts) -> dict[str, JsonValue]:
    return {
        "hour": hour.hour.isoformat(),
        "interactions": hour.interactions,
        "feedback": hour.feedback,
        "corrected": hour.corrected,
        "mean_rating": _ratio(hour.rating_sum, hour.rated),
        "errors": hour.failed,
    }


def _sum(hours: Sequence[HourlyCounts], name: str) -> int:
    return sum(int(getattr(hour, name)) for hour in hours)


def _ratio(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
