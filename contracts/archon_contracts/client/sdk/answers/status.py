"""Answers about status.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer


class AgentCostInfo(ApiAnswer):
    """Of one agent."""

    trainings: int
    wall_seconds: float
    cpu_seconds: float
    gpu_seconds: float = Field(description="Time for which accelerators were taken.")
    energy_wh: float
    cost: float = Field(description="In the currency of the trainers' prices; 0 without prices.")
    agent_id: str
    peak_memory_mb: float = Field(description="Of the training that took most.")


class ResourceUseInfo(ApiAnswer):
    """What trainings used that ended with a model; cost and energy are estimates."""

    trainings: int
    wall_seconds: float
    cpu_seconds: float
    gpu_seconds: float = Field(description="Time for which accelerators were taken.")
    energy_wh: float
    cost: float = Field(description="In the currency of the trainers' prices; 0 without prices.")


class CostsInfo(ApiAnswer):
    """By agent, and of the whole tenant."""

    since: datetime
    agents: list[AgentCostInfo]
    total: ResourceUseInfo
