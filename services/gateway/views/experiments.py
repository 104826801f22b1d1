"""What the API returns of experiments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import Field

from archon_contracts.rollouts.experiment import ArmReport
from archon_contracts.values import Estimate, ModelRef
from services.gateway.views.base import View

UNEQUAL_RATES: Final = 0.01
"""P-value below which two feedback rates are called unequal."""


class ExperimentProgress(StrEnum):
    """Where an experiment stands. All but the first are final."""

    RUNNING = "running"
    PROMOTED = "promoted"
    KEPT = "kept"
    CANCELLED = "cancelled"


class ExperimentMeasureView(View):
    """What an experiment showed at one look."""

    measured_at: datetime
    treatment_proportion: float = Field(description="The candidate's part of the traffic then.")
    arms: tuple[ArmReport, ...] = Field(description="Deployed version and candidate.")
    difference: Estimate | None = Field(
        default=None, description="Of mean outcomes, with bounds that hold at all looks together."
    )
    harm_log_e_value: float = Field(
        default=0.0, description="Natural logarithm of the evidence that the candidate is worse."
    )
    harm_log_limit: float = Field(default=0.0, description="With so much of it it ends.")
    division_p_value: float | None = Field(
        default=None, description="Sample-ratio check of an A/B test, valid at all looks."
    )
    feedback_rate_p_value: float | None = Field(
        default=None, description="Of equal feedback rates, at this look alone."
    )


class ExperimentView(View):
    """A comparison of two versions on production traffic."""

    experiment_id: UUID
    agent_id: str
    mode: str = Field(description="shadow, canary or ab_test.")
    state: ExperimentProgress
    control: ModelRef = Field(description="The version that was deployed when it began.")
    treatment: ModelRef = Field(description="The candidate.")
    proportion: float = Field(description="The candidate's part of the traffic now, or at the end.")
    step: int = Field(description="Number of that part, from 1; grows in a canary.")
    job_id: UUID | None = Field(default=None, description="Job that made the candidate.")
    reason: str = ""
    started_at: datetime
    ended_at: datetime | None = None
    stop_reason: str | None = Field(default=None, description="Why it ended; absent: it runs.")
    winner: str | None = Field(default=None, description="Version that is deployed after it.")
    arms: tuple[ArmReport, ...] = Field(
        default=(), description="Deployed version and candidate; empty: nothing was counted yet."
    )
    difference: Estimate | None = Field(
        default=None,
        description="Mean outcome of the candidate minus that of the deployed version; after the "
        "end corrected for having stopped on it.",
    )
    division_p_value: float | None = None
    feedback_rate_p_value: float | None = None
    selection: str = Field(
        default="", description="Which part of the answers was scored, and whether it differs."
    )


class ExperimentDetail(ExperimentView):
    """An experiment with all its looks."""

    measures: tuple[ExperimentMeasureView, ...] = Field(description="Oldest first.")


def to_experiment(row: Mapping[str, Any]) -> ExperimentView:
    """The view of a row."""
    measure = row["measure"] or {}
    p_value = measure.get("feedback_rate_p_value")
    arms = tuple(ArmReport.model_validate(each) for each in row["arms"])
    return ExperimentView(
        **{**row, "arms": arms},
        division_p_value=measure.get("division_p_value"),
        feedback_rate_p_value=p_value,
        selection=describe_selection(arms, p_value),
    )


def to_measure(body: Mapping[str, Any]) -> ExperimentMeasureView:
    """The view of a stored measure."""
    return ExperimentMeasureView(**body)


def describe_selection(arms: tuple[ArmReport, ...], p_value: float | None) -> str:
    """One sentence on which answers were scored: outcomes are known of no others."""
    rates = [each.feedback_rate for each in arms]
    if len(arms) != 2 or None in rates:
        return "" if not arms else "no answers are logged, so it is not known which part is scored"
    parts = ", ".join(
        f"{100 * (each.feedback_rate or 0):.1f} % of {each.interactions:,} answers of "
        f"{each.model.version}"
        for each in arms
    )
    if p_value is not None and p_value < UNEQUAL_RATES:
        return (
            f"scored are {parts}: the rates differ (p = {p_value:.2g}), so the outcomes may be "
            "those of different users"
        )
    return f"scored are {parts}"
