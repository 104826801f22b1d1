"""What an operator can set for the coordinator."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from archon_contracts.events import JobState
from archon_contracts.rules.bounds import MAX_EVENT_BYTES
from services.coordinator.jobs.deadlines import JobLimits
from shared.settings import ServiceSettings

HOUR = 3600.0


class Settings(ServiceSettings):
    """Settings of the coordinator; ARCHON_FEEDBACK_BATCH sets `feedback_batch`, and so
    on.
    """

    service: str = "coordinator"
    gateway_mac_key: SecretStr | None = Field(
        default=None,
        description="Key of the proof that the gateway checked a record, for gateway and "
        "coordinator alone, 64 hex digits; absent: writers of the topics are believed.",
    )
    feedback_batch: int = Field(
        default=16_000, ge=1, le=50_000, description="Most feedback records fetched at once."
    )
    feedback_max_bytes: int = Field(
        default=MAX_EVENT_BYTES,
        ge=1_000,
        description="Largest feedback event over Kafka [bytes]; a larger one is a dead letter.",
    )
    unknown_agent_wait_seconds: float = Field(
        default=2.0,
        ge=0,
        description="How long feedback waits for its agent's configuration, once an agent [s].",
    )
    feedback_wait_seconds: float = Field(
        default=120.0,
        gt=0,
        description="How long a job waits for the feedback that its request names to be stored; "
        "then it fails [s].",
    )
    interaction_days: float = Field(
        default=7.0, gt=0, description="How long interactions without feedback are kept [days]."
    )
    sweep_seconds: float = Field(
        default=2.0, gt=0, description="Time between looks for overdue jobs and triggers [s]."
    )
    jobs_per_tenant: int = Field(
        default=200,
        ge=0,
        description="Jobs of one tenant that have not ended; a further request is rejected; "
        "0: no limit.",
    )
    tenant_weights: dict[str, Annotated[float, Field(gt=0, le=1000)]] = Field(
        default={},
        description="Part of the training slots of each tenant beside the others' as JSON, "
        'such as {"acme": 2}; a tenant that is not named has 1.',
    )
    command_dispatches: int = Field(default=3, ge=1, description="Times that a command is sent.")
    training_attempts: int = Field(default=3, ge=1, description="Attempts at one training.")
    worker_report_timeout_seconds: float = Field(
        default=120.0, gt=0, description="A worker unheard for this long has no slots [s]."
    )
    requested_seconds: float = Field(
        default=24 * HOUR, gt=0, description="Longest wait for the agent to be known and free [s]."
    )
    planning_seconds: float = Field(default=60.0, gt=0, description="Longest planning [s].")
    preparing_seconds: float = Field(default=900.0, gt=0, description="Longest preparation [s].")
    queued_seconds: float = Field(
        default=24 * HOUR, gt=0, description="Longest wait for a training slot [s]."
    )
    training_seconds: float = Field(
        default=12 * HOUR, gt=0, description="Longest attempt at a training [s]."
    )
    evaluating_seconds: float = Field(default=HOUR, gt=0, description="Longest evaluation [s].")
    registering_seconds: float = Field(default=60.0, gt=0, description="Longest registration [s].")
    rolling_out_seconds: float = Field(default=60.0, gt=0, description="Longest roll-out [s].")

    @property
    def limits(self) -> JobLimits:
        """What the state machine keeps to."""
        return JobLimits(
            stay_seconds={
                JobState.REQUESTED: self.requested_seconds,
                JobState.PLANNING: self.planning_seconds,
                JobState.PREPARING: self.preparing_seconds,
                JobState.QUEUED: self.queued_seconds,
                JobState.TRAINING: self.training_seconds,
                JobState.EVALUATING: self.evaluating_seconds,
                JobState.REGISTERING: self.registering_seconds,
                JobState.ROLLING_OUT: self.rolling_out_seconds,
            },
            max_dispatches=self.command_dispatches,
            max_attempts=self.training_attempts,
        )
