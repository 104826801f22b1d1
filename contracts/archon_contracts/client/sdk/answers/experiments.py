"""Answers about experiments.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.agents import EstimateInfo
from archon_contracts.client.sdk.answers.base import ApiAnswer
from archon_contracts.client.sdk.answers.models import ModelRefInfo


class ArmReportInfo(ApiAnswer):
    """One version's part in an experiment. Answers with feedback are a selection of all answers."""

    model: ModelRefInfo
    scored: int = Field(description="Answers with feedback that says how good they were.")
    outcome: EstimateInfo | None = Field(
        default=None, description="Mean outcome of those, 0 to 1; absent: there is none."
    )
    weighted_outcome: EstimateInfo | None = Field(
        default=None,
        description="Mean outcome of all answers, estimated from the scored ones whose "
        "`feedback_propensity` is known, each weighed by its inverse; absent: none is known.",
    )
    interactions: int | None = Field(default=None, description="Answers that were logged.")
    failed: int | None = Field(default=None, description="Of those, with an error.")
    feedback_rate: float | None = Field(
        default=None,
        description="Scored answers per logged one; absent: none was logged. Where it differs "
        "between versions, so may the users who rate.",
    )


class ExperimentInfo(ApiAnswer):
    """A comparison of two versions on production traffic."""

    experiment_id: UUID
    agent_id: str
    mode: str = Field(description="shadow, canary or ab_test.")
    state: str
    control: ModelRefInfo = Field(description="The version that was deployed when it began.")
    treatment: ModelRefInfo = Field(description="The candidate.")
    proportion: float = Field(description="The candidate's part of the traffic now, or at the end.")
    step: int = Field(description="Number of that part, from 1; grows in a canary.")
    job_id: UUID | None = Field(default=None, description="Job that made the candidate.")
    reason: str | None = None
    started_at: datetime
    ended_at: datetime | None = None
    stop_reason: str | None = Field(default=None, description="Why it ended; absent: it runs.")
    winner: str | None = Field(default=None, description="Version that is deployed after it.")
    arms: list[ArmReportInfo] | None = Field(
        default=None, description="Deployed version and candidate; empty: nothing was counted yet."
    )
    difference: EstimateInfo | None = Field(
        default=None,
        description="Mean outcome of the candidate minus that of the deployed version; after the "
        "end corrected for having stopped on it.",
    )
    division_p_value: float | None = None
    feedback_rate_p_value: float | None = None
    selection: str | None = Field(
        default=None, description="Which part of the answers was scored, and whether it differs."
    )


class ExperimentMeasureInfo(ApiAnswer):
    """What an experiment showed at one look."""

    measured_at: datetime
    treatment_proportion: float = Field(description="The candidate's part of the traffic then.")
    arms: list[ArmReportInfo] = Field(description="Deployed version and candidate.")
    difference: EstimateInfo | None = Field(
        default=None, description="Of mean outcomes, with bounds that hold at all looks together."
    )
    harm_log_e_value: float | None = Field(
        default=None, description="Natural logarithm of the evidence that the candidate is worse."
    )
    harm_log_limit: float | None = Field(default=None, description="With so much of it it ends.")
    division_p_value: float | None = Field(
        default=None, description="Sample-ratio check of an A/B test, valid at all looks."
    )
    feedback_rate_p_value: float | None = Field(
        default=None, description="Of equal feedback rates, at this look alone."
    )


class ExperimentDetailInfo(ApiAnswer):
    """An experiment with all its looks."""

    experiment_id: UUID
    agent_id: str
    mode: str = Field(description="shadow, canary or ab_test.")
    state: str
    control: ModelRefInfo = Field(description="The version that was deployed when it began.")
    treatment: ModelRefInfo = Field(description="The candidate.")
    proportion: float = Field(description="The candidate's part of the traffic now, or at the end.")
    step: int = Field(description="Number of that part, from 1; grows in a canary.")
    job_id: UUID | None = Field(default=None, description="Job that made the candidate.")
    reason: str | None = None
    started_at: datetime
    ended_at: datetime | None = None
    stop_reason: str | None = Field(default=None, description="Why it ended; absent: it runs.")
    winner: str | None = Field(default=None, description="Version that is deployed after it.")
    arms: list[ArmReportInfo] | None = Field(
        default=None, description="Deployed version and candidate; empty: nothing was counted yet."
    )
    difference: EstimateInfo | None = Field(
        default=None,
        description="Mean outcome of the candidate minus that of the deployed version; after the "
        "end corrected for having stopped on it.",
    )
    division_p_value: float | None = None
    feedback_rate_p_value: float | None = None
    selection: str | None = Field(
        default=None, description="Which part of the answers was scored, and whether it differs."
    )
    measures: list[ExperimentMeasureInfo] = Field(description="Oldest first.")
