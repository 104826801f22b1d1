"""Limits of an agent's data policy, applied to the quality report of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from archon_contracts.formats import DatasetQuality, QualityLimit
from archon_contracts.values import DataPolicy
from services.data_prep.domain import RejectedDataset


def apply_limits(quality: DatasetQuality, policy: DataPolicy) -> DatasetQuality:
    """The report with what became of each limit that does not depend on the time."""
    limits = (*_check_least(quality, policy), *_check_most(quality, policy))
    return quality.model_copy(update={"limits": limits})


def refuse_by_limits(
    quality: DatasetQuality, policy: DataPolicy, now: datetime
) -> RejectedDataset | None:
    """Why the policy refuses the dataset; None where every limit holds.

    The age is compared here and stands in no file: equal inputs give equal files.
    """
    broken = [limit.detail for limit in quality.limits if not limit.passed]
    newest = quality.freshness.newest
    if policy.maximum_age_seconds is not None:
        if newest is None:
            broken.append(
                _explain_unmeasured("maximum_age_seconds", "no item says when it was given")
            )
        elif (age := (now - newest).total_seconds()) > policy.maximum_age_seconds:
            broken.append(
                f"the newest item is {age:.0f} s old, data.maximum_age_seconds is "
                f"{policy.maximum_age_seconds:g}"
            )
    if not broken:
        return None
    return RejectedDataset(
        f"the agent's data policy refuses the dataset: {'; '.join(broken)}", quality.counts
    )


def _check_least(quality: DatasetQuality, policy: DataPolicy) -> Iterator[QualityLimit]:
    balance, diversity = quality.balance, quality.diversity
    if policy.minimum_items:
        new = sum(balance.counts.values()) if balance else 0
        if balance and balance.targets > len(balance.counts):
            new = quality.counts.kept
        yield _at_least("minimum_items", policy.minimum_items, new, "new items")
    if policy.minimum_target_items:
        figure = balance.smallest_items if balance else None
        words = "items of the rarest target"
        yield _at_least("minimum_target_items", policy.minimum_target_items, figure, words)
    if policy.minimum_distinct_pairs is not None:
        figure_2 = diversity.distinct_2 if diversity else None
        words = "of all word pairs are distinct"
        yield _at_least("minimum_distinct_pairs", policy.minimum_distinct_pairs, figure_2, words)


def _check_most(quality: DatasetQuality, policy: DataPolicy) -> Iterator[QualityLimit]:
    counts, balance, drift = quality.counts, quality.balance, quality.drift
    received, new = max(1, counts.received), max(1, counts.kept)
    errors, personal = quality.label_errors, quality.personal_data
    figures = (
        (
            "maximum_target_proportion",
            policy.maximum_target_proportion,
            balance.largest_proportion if balance else None,
            f"of the new items have the target {balance.largest!r}" if balance else "",
        ),
        (
            "maximum_unusable",
            policy.maximum_unusable,
            counts.unusable / received,
            "of the received items have no target or cannot be read",
        ),
        (
            "maximum_duplicates",
            policy.maximum_duplicates,
            counts.duplicates / received,
            "of the received items repeat others",
        ),
        (
            "maximum_conflicts",
            policy.maximum_conflicts,
            counts.conflicting / received,
            "of the received items contradict others",
        ),
        (
            "maximum_label_errors",
            policy.maximum_label_errors,
            errors.proportion if errors else None,
            "of the targets are estimated to be wrong",
        ),
        (
            "maximum_personal_data",
            policy.maximum_personal_data,
            personal.items / new,
            "of the items hold personal data",
        ),
        (
            "maximum_leaked_pairs",
            policy.maximum_leaked_pairs,
            quality.leakage.pairs,
            "pairs of inputs are alike across the parts",
        ),
        (
            "maximum_drift",
            policy.maximum_drift,
            drift.target_stability if drift else None,
            "is the population stability index of the targets",
        ),
    )
    for name, limit, figure, words in figures:
        # Before a version is deployed nothing is remembered that a dataset could differ from.
        unknown = name == "maximum_drift" and figure is None
        if limit is not None and not unknown:
            yield _at_most(name, limit, figure, words)


def _at_least(name: str, limit: float, figure: float | None, words: str) -> QualityLimit:
    passed = figure is not None and figure >= limit
    return _describe(name, limit, figure, words, passed)


def _at_most(name: str, limit: float, figure: float | None, words: str) -> QualityLimit:
    passed = figure is not None and figure <= limit
    return _describe(name, limit, figure, words, passed)


def _describe(
    name: str, limit: float, figure: float | None, words: str, passed: bool
) -> QualityLimit:
    if figure is None:
        detail = _explain_unmeasured(name, "it could not be measured")
    else:
        detail = f"{figure:.4g} {words}, data.{name} is {limit:g}"
    rounded = None if figure is None else round(figure, 6)
    return QualityLimit(name=name, limit=limit, figure=rounded, passed=passed, detail=detail)


def _explain_unmeasured(name: str, reason: str) -> str:
    return f"data.{name} is set, and {reason}"
