"""Interactions with the feedback on them, and which of them failed: pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from archon_contracts.commands import TokenPrices
from archon_contracts.events import LogCost, LogEvidence
from archon_contracts.formats import LogRecord
from archon_contracts.rules.normal_text import clean_text

SHOWN_CHARACTERS: Final = 240
SHOWN_INTERACTIONS: Final = 10
LOW_RATING: Final = 2.0
REPEATS_OF_A_LOOP: Final = 3
"""Times that one user sends a request in succession: twice may be by mistake."""
FENCE: Final = 3.0
"""Of J. W. Tukey's outer fence (Exploratory Data Analysis, 1977): so many ranges of quartiles."""
FEWEST_LATENCIES: Final = 20
"""With fewer there is no saying what is unusual."""


@dataclass(frozen=True, slots=True)
class AnalysedInteraction:
    """An interaction as far as records speak of it, and why it counts as failed."""

    id: str
    at: datetime
    request: str
    answer: str = ""
    correction: str = ""
    error: str = ""
    failures: tuple[str, ...] = ()
    has_feedback: bool = False
    latency_seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    unit_id: str = ""

    def show(self, figure: float | None = None) -> LogEvidence:
        """The interaction as evidence; long texts are cut."""
        return LogEvidence(
            interaction_id=self.id,
            at=self.at,
            text=cut(self.request),
            answer=cut(self.answer),
            expected=cut(self.correction),
            error=cut(self.error),
            figure=figure,
        )


def cut(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """The text, or its beginning."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def merge_records(records: Iterable[LogRecord]) -> list[AnalysedInteraction]:
    """One interaction for each id, oldest first; feedback without a logged answer is one, too."""
    by_id: defaultdict[str, list[LogRecord]] = defaultdict(list)
    for record in records:
        by_id[record.interaction_id].append(record)
    found = [
        _merge(name, sorted(its, key=lambda each: (each.kind == "feedback", each.at)))
        for name, its in by_id.items()
    ]
    return sorted((each for each in found if each.request), key=lambda each: (each.at, each.id))


def _merge(name: str, records: Sequence[LogRecord]) -> AnalysedInteraction:
    """`records` has logged answers first, then feedback in the order in which it came."""

    def newest(field: str) -> str:
        return next((v for r in reversed(records) if (v := getattr(r, field))), "")

    def first(field: str) -> object:
        return next((v for r in records if (v := getattr(r, field)) is not None), None)

    answer = next((r.answer for r in records if r.answer), "")
    correction, error = newest("correction"), newest("error")
    feedback = [each for each in records if each.kind == "feedback"]
    return AnalysedInteraction(
        id=name,
        at=records[0].at,
        request=next((r.request for r in records if r.request), ""),
        answer=answer,
        correction=correction,
        error=error,
        failures=tuple(_name_failures(answer, correction, error, feedback)),
        has_feedback=bool(feedback),
        latency_seconds=first("latency_seconds"),  # type: ignore[arg-type]  # of one record's field
        input_tokens=first("input_tokens"),  # type: ignore[arg-type]  # likewise
        output_tokens=first("output_tokens"),  # type: ignore[arg-type]  # likewise
        unit_id=newest("unit_id"),
    )


def _name_failures(
    answer: str, correction: str, error: str, feedback: Sequence[LogRecord]
) -> Iterable[str]:
    if error:
        yield "error"
    if correction and clean_text(correction) != clean_text(answer):
        yield "corrected"
    # The newest rating stands: whoever rates twice has changed their mind.
    ratings = [each.rating for each in feedback if each.rating is not None]
    if ratings and ratings[-1] <= LOW_RATING:
        yield "low_rating"
    rewards = [each.reward for each in feedback if each.reward is not None]
    if rewards and rewards[-1] < 0:
        yield "negative_reward"
    yield from sorted({signal for each in feedback for signal in each.signals})


def count_kinds(interactions: Iterable[AnalysedInteraction]) -> dict[str, int]:
    """Kind of failure -> interactions, the most frequent first."""
    counts = Counter(kind for each in interactions for kind in each.failures)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def compute_slow_limit(latencies: Sequence[float], asked: float | None) -> float | None:
    """The latency [s] beyond which an interaction is slow; None: too few are known to say."""
    if asked is not None:
        return asked
    if len(latencies) < FEWEST_LATENCIES:
        return None
    import numpy as np

    low, high = np.quantile(latencies, (0.25, 0.75))
    return float(high + FENCE * (high - low))


def find_slow(
    interactions: Iterable[AnalysedInteraction], limit: float | None
) -> list[AnalysedInteraction]:
    """Those beyond the limit, the slowest first."""
    if limit is None:
        return []
    found = [i for i in interactions if i.latency_seconds is not None and i.latency_seconds > limit]
    return sorted(found, key=lambda each: -(each.latency_seconds or 0))


def find_loops(interactions: Sequence[AnalysedInteraction]) -> list[LogEvidence]:
    """Requests that one user sent at least three times in succession, the most often first."""
    by_unit: defaultdict[str, list[AnalysedInteraction]] = defaultdict(list)
    for each in interactions:
        if each.unit_id:
            by_unit[each.unit_id].append(each)
    found = []
    for its in by_unit.values():
        for _, run in groupby(its, key=lambda each: clean_text(each.request).casefold()):
            repeated = list(run)
            if len(repeated) >= REPEATS_OF_A_LOOP:
                found.append(repeated[-1].show(len(repeated)))
    return sorted(found, key=lambda each: (-(each.figure or 0), each.at))


def sum_cost(
    interactions: Sequence[AnalysedInteraction], prices: TokenPrices | None
) -> LogCost | None:
    """Tokens and cost; None where no interaction says its tokens."""
    counted = [
        each
        for each in interactions
        if each.input_tokens is not None or each.output_tokens is not None
    ]
    if not counted:
        return None
    read = sum(each.input_tokens or 0 for each in counted)
    written = sum(each.output_tokens or 0 for each in counted)
    ordered = sorted(counted, key=lambda each: (-_count_tokens(each), each.id))
    cost = None
    if prices is not None:
        cost = (
            read * prices.input_tokens_per_million / 1e6
            + written * prices.output_tokens_per_million / 1e6
            + len(counted) * prices.per_call
        )
    return LogCost(
        interactions=len(counted),
        input_tokens=read,
        output_tokens=written,
        cost=cost,
        most_expensive=tuple(
            each.show(_count_tokens(each)) for each in ordered[:SHOWN_INTERACTIONS]
        ),
    )


def _count_tokens(interaction: AnalysedInteraction) -> int:
    return (interaction.input_tokens or 0) + (interaction.output_tokens or 0)
